/**
 * The parameters of a ResNet, named as in torchvision.
 *
 * @module
 */
import { HatchlingError } from "../errors.ts";
import type { ParameterSpec } from "./parameters.ts";
import { convsOf, type ResNetConfig, RESNETS } from "./resnet_shape.ts";

/**
 * Checks a shape.
 *
 * @throws {HatchlingError} When there is no such ResNet, or sizes are not positive whole numbers.
 */
export function checkResNet({ layers, ...sizes }: Required<ResNetConfig>): void {
  if (!Object.hasOwn(RESNETS, layers)) {
    throw new HatchlingError(
      `ResNet: expected layers to be one of ${Object.keys(RESNETS).join(", ")} but found ${layers}`,
    );
  }
  for (const [key, value] of Object.entries(sizes)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new HatchlingError(`ResNet: expected a positive whole ${key} but found ${value}`);
  }
}

/**
 * Names, shapes and initial values, as torchvision has them: convolutions normal with variance 2 / (outputs · side²)
 * (He et al. 2015, arXiv:1502.01852), batch norms 1 and 0. The running statistics come first: they are moved by forward
 * passes, not by the optimiser or the moving average, which begin behind them.
 */
export function resnetSpecs(config: Required<ResNetConfig>): ParameterSpec[] {
  const all = convsOf(config);
  const running = all.flatMap(({ norm, outputs }): ParameterSpec[] =>
    ["running_mean", "running_var"].map((name, one) => ({
      name: `${norm}.${name}`,
      shape: [outputs],
      init: { constant: one },
      trainable: false,
      running: true,
    }))
  );
  const learned = all.flatMap(({ conv, norm, inputs, outputs, side }): ParameterSpec[] => [
    {
      name: `${conv}.weight`,
      shape: [outputs, inputs, side, side],
      init: { normal: Math.sqrt(2 / (outputs * side * side)) },
    },
    { name: `${norm}.weight`, shape: [outputs], init: { constant: 1 } },
    { name: `${norm}.bias`, shape: [outputs], init: { constant: 0 } },
  ]);
  return [...running, ...learned];
}
