"""Networks in plain PyTorch, by the names of timm's and torchvision's parameters in a dict `p`."""
import torch
import torch.nn.functional as F


def attention(q, k, v):
    return F.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, -1) @ v


def vit_features(p, images, vit, eps):
    """Class tokens after the final norm; LayerScale where there is any."""
    dim, heads, patch = vit["dim"], vit["heads"], vit["patchSize"]
    x = F.conv2d(images, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=patch)
    side = x.shape[-1]
    x = torch.cat([p["cls_token"].expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1)
    pos, grid = p["pos_embed"], vit["imageSize"] // patch
    if side != grid:
        table = pos[:, 1:].reshape(1, grid, grid, dim).permute(0, 3, 1, 2)
        factor = (side + 0.1) / grid
        table = F.interpolate(table, scale_factor=(factor, factor), mode="bicubic")
        pos = torch.cat([pos[:, :1], table.flatten(2).transpose(1, 2)], 1)
    x = x + pos
    n, tokens, _ = x.shape
    norm = lambda y, name: F.layer_norm(y, (dim,), p[name + ".weight"], p[name + ".bias"], eps)
    dense = lambda y, name: F.linear(y, p[name + ".weight"], p[name + ".bias"])
    scale = lambda y, name: y * p[name + ".gamma"] if name + ".gamma" in p else y
    for i in range(vit["depth"]):
        b = f"blocks.{i}."
        qkv = dense(norm(x, b + "norm1"), b + "attn.qkv").view(n, tokens, 3, heads, dim // heads)
        y = attention(*qkv.permute(2, 0, 3, 1, 4)).transpose(1, 2).reshape(n, tokens, dim)
        x = x + scale(dense(y, b + "attn.proj"), b + "ls1")
        y = dense(F.gelu(dense(norm(x, b + "norm2"), b + "mlp.fc1")), b + "mlp.fc2")
        x = x + scale(y, b + "ls2")
    return norm(x[:, 0], "norm")


def resnet_features(p, images, train):
    """Means of the last map; batch norms by the batch, moving their statistics, or by those."""

    def conv_norm(x, conv, norm, stride=1):
        w = p[conv + ".weight"]
        y = F.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2)
        mean, var = p[norm + ".running_mean"], p[norm + ".running_var"]
        return F.batch_norm(y, mean, var, p[norm + ".weight"], p[norm + ".bias"], train, 0.1, 1e-5)

    def block(x, name, stride):
        count = 3 if f"{name}.conv3.weight" in p else 2
        y = x
        for i in range(1, count + 1):
            # Of a bottleneck, the 3 x 3 convolution has the stride.
            y = conv_norm(y, f"{name}.conv{i}", f"{name}.bn{i}", stride if i == count - 1 else 1)
            y = F.relu(y) if i < count else y
        if f"{name}.downsample.0.weight" in p:
            x = conv_norm(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return F.relu(y + x)

    x = F.max_pool2d(F.relu(conv_norm(images, "conv1", "bn1", 2)), 3, 2, 1)
    for stage in (1, 2, 3, 4):
        i = 0
        while f"layer{stage}.{i}.conv1.weight" in p:
            x = block(x, f"layer{stage}.{i}", 2 if stage > 1 and i == 0 else 1)
            i += 1
    return x.mean((2, 3))
