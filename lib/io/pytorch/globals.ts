/**
 * What the names in a pickle are answered with. Nothing is imported, nothing called: a handful of names that
 * PyTorch's own files hold have an answer of their own here.
 *
 * - A REDUCE of a function that makes tensors or containers is answered in its place.
 * - A REDUCE of one out of `CLOSED`, plain values of Python and NumPy, gives an object that is not looked into.
 * - A REDUCE of anything else is an error that names it.
 * - Objects of foreign classes (NEWOBJ, then BUILD), of which checkpoints are full, such as DINO's
 *   `argparse.Namespace`, are not looked into either. A tensor in them is none of the file's weights.
 * - The mere name of what is in `NEVER`, by which pickles do harm in Python, is an error: such a file is no source of
 *   weights.
 *
 * @module
 */
import { brief } from "../safetensors_header.ts";
import { storageType } from "./storage_types.ts";
import { tensorOf } from "./tensor.ts";
import { type Dict, Global, Inert, TensorRef, Tuple, type Value } from "./values.ts";
import type { Fail } from "./zip.ts";

/** Modules that reach beyond the file. */
const NEVER = new Set(
  "os posix nt subprocess sys importlib runpy shutil socket webbrowser pty ctypes pickle _pickle cPickle marshal"
    .split(" "),
);

/** What does so of `builtins`. */
const NEVER_BUILTINS = new Set(
  ("eval exec execfile compile open file __import__ getattr setattr delattr globals locals vars input raw_input " +
    "breakpoint apply").split(" "),
);

/** Plain values, which no tensor depends on. */
const CLOSED = new RegExp(
  "^(numpy\\.(_?core\\.(multiarray\\.(scalar|_reconstruct)|numeric\\._frombuffer)|dtype" +
    "|random\\._pickle\\.__\\w+_ctor)" +
    "|pathlib\\.(_local\\.)?(Pure)?(Posix|Windows)?Path|datetime\\.(datetime|date|time|timedelta|timezone)" +
    "|collections\\.(Counter|deque)|functools\\.partial|_codecs\\.encode|uuid\\.UUID|decimal\\.Decimal" +
    "|fractions\\.Fraction|copyreg\\._reconstructor|copy_reg\\._reconstructor|types\\.SimpleNamespace|torch\\.device" +
    "|(builtins|__builtin__)\\.(set|frozenset|complex|bytes|bytearray|slice|range|object))$",
);

/** A class or function by its name. */
export function named(module: string, name: string, fail: Fail): Global {
  const full = `${module}.${name}`;
  const top = module.split(".")[0];
  const isBuiltin = top === "builtins" || top === "__builtin__";
  if (isBuiltin ? NEVER_BUILTINS.has(name) : NEVER.has(top)) {
    fail(
      `it names ${
        brief(full)
      }, which weights have no use for and by which such files do harm where Python loads ` +
        "them: take it from a source that you trust",
    );
  }
  return new Global(full);
}

type Answer = (args: readonly Value[], fail: Fail) => Value;

const parameter: Answer = ([data], fail: Fail) => {
  if (!(data instanceof TensorRef)) fail("it makes a parameter of what is no tensor");
  return data;
};

const ANSWERS: Record<string, Answer> = {
  "torch._utils._rebuild_tensor": (args, fail) => tensorOf(args, undefined, fail),
  "torch._utils._rebuild_tensor_v2": (args, fail) => tensorOf(args, undefined, fail),
  "torch._utils._rebuild_tensor_v3": (args, fail: Fail) => {
    const dtype = args[6];
    const type = dtype instanceof Global ? storageType(dtype.name) : undefined;
    if (!type) fail("it makes a tensor of a type that is not known");
    return tensorOf(args, type, fail);
  },
  "torch._utils._rebuild_parameter": parameter,
  "torch._utils._rebuild_parameter_with_state": parameter,
  "torch._tensor._rebuild_from_type_v2": ([make, , args], fail: Fail) => {
    if (!(make instanceof Global && args instanceof Tuple)) {
      fail("it makes a tensor of no function");
    }
    // a function that names itself would go round without end
    if (make.name.startsWith("torch._tensor.")) fail(`it calls ${brief(make.name)} by itself`);
    return reduce(make.name, args.items, fail);
  },
  "torch.Size": ([sizes], fail: Fail) => {
    if (!(sizes instanceof Tuple)) fail("it makes a torch.Size of what is no tuple");
    return sizes;
  },
  "collections.OrderedDict": ([pairs], fail: Fail) => {
    const dict: Dict = new Map();
    if (pairs === undefined) return dict;
    if (!Array.isArray(pairs)) fail("it makes an OrderedDict of what is no list");
    for (const pair of pairs) {
      const items = pair instanceof Tuple ? pair.items : Array.isArray(pair) ? pair : [];
      if (items.length !== 2) fail("it makes an OrderedDict of what are no pairs");
      setOnce(dict, items[0], items[1], fail);
    }
    return dict;
  },
  "collections.defaultdict": () => new Map(),
};

/** What a function of this name would return. */
export function reduce(name: string, args: readonly Value[], fail: Fail): Value {
  if (Object.hasOwn(ANSWERS, name)) return ANSWERS[name](args, fail);
  if (CLOSED.test(name)) return new Inert(name);
  return fail(
    `it calls ${
      brief(name)
    }, which makes neither tensors nor plain data, and nothing is called here. If you ` +
      "trust where it comes from, load it in Python and save the weights alone: " +
      'torch.save(model.state_dict(), "weights.pth")',
  );
}

/** Gives an object its attributes: they are dropped, but for those of a Namespace, which say how a model was made. */
export function build(object: Value, state: Value, fail: Fail): void {
  if (object instanceof Inert) {
    if (object.what === "argparse.Namespace" && state instanceof Map) object.attributes = state;
  } else if (!(object instanceof Map)) fail("it gives attributes to what has none");
}

/** Python would let the last one of equal keys win; no program writes two. */
export function setOnce(dict: Dict, key: Value, value: Value, fail: Fail): void {
  if (dict.has(key)) fail(`a dict holds ${typeof key === "string" ? brief(key) : "a key"} twice`);
  dict.set(key, value);
}
