/** The optimisers' kernels against PyTorch's recorded steps. */
import { adamControl, adamStep, type Call, type Kernel, sgdStep, spec } from "@ddad/kernels-wgsl";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { runVariant } from "./harness.ts";

describe("optimisers", () => {
  const settings = {
    adam: { decoupled: false, learningRate: 3e-4, weightDecay: 0.05 },
    adamw: { decoupled: true, learningRate: 1e-4, weightDecay: 0.01 },
  };
  for (const name of ["adam", "adamw"] as const)
    it(`${name} makes PyTorch's steps`, async function () {
      const { gpu, capabilities } = testDevice();
      const golden = readNpz(sharedOrSkip(this, "golden", "optim.npz"));
      const p0 = entry(golden, "p0", Float32Array).data;
      const gradients = entry(golden, "grads", Float32Array);
      const recorded = entry(golden, name, Float32Array).data;
      const exact = entry(golden, `${name}64`, Float64Array).data;
      const size = p0.length;
      const shape = spec([size]);
      const inputs = {
        parameter: shape,
        gradient: shape,
        firstMoment: shape,
        secondMoment: shape,
        control: spec([8]),
      };
      const attrs = { decoupled: settings[name].decoupled };
      const call: Call = { inputs, attrs, ...adamStep.infer(inputs, attrs) };
      let parameter: Float64Array = Float64Array.from(p0);
      let firstMoment: Float64Array = new Float64Array(size);
      let secondMoment: Float64Array = new Float64Array(size);
      for (let step = 1; step <= gradients.shape[0]!; step++) {
        const row = (step - 1) * size;
        const control = adamControl({ ...settings[name], beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step });
        const values = {
          parameter,
          gradient: Float64Array.from(gradients.data.subarray(row, row + size)),
          firstMoment,
          secondMoment,
          control: Float64Array.from(control),
        };
        const next = await runVariant(
          gpu,
          capabilities,
          adamStep as Kernel,
          adamStep.variants[0]!,
          call,
          values,
        );
        parameter = next["parameterNext"]!;
        firstMoment = next["firstMomentNext"]!;
        secondMoment = next["secondMomentNext"]!;
        parameter.forEach((value, i) => {
          // One unit in the last place for each step, the distance of PyTorch's own f32 run from its f64 run.
          const allowed = step * 2 ** -23 * Math.max(Math.abs(value), 2 ** -6);
          expect(value, `step ${step}, element ${i}`).to.be.closeTo(recorded[row + i]!, allowed);
          expect(value, `step ${step}, element ${i} in f64`).to.be.closeTo(exact[row + i]!, allowed);
        });
      }
    });

  it("sgd with momentum follows its definition over several steps", async () => {
    const { gpu, capabilities } = testDevice();
    const one = spec([4]);
    const inputs = { parameter: one, gradient: one, velocity: one, control: spec([4]) };
    const call: Call = { inputs, attrs: {}, ...sgdStep.infer(inputs, {}) };
    const control = Float64Array.of(0.5, 0.5, 0, 1);
    const gradient = Float64Array.of(1, 2, -4, 0);
    let parameter: Float64Array = new Float64Array(4);
    let velocity: Float64Array = new Float64Array(4);
    for (let step = 0; step < 3; step++) {
      const values = { parameter, gradient, velocity, control };
      const next = await runVariant(gpu, capabilities, sgdStep as Kernel, sgdStep.variants[0]!, call, values);
      parameter = next["parameterNext"]!;
      velocity = next["velocityNext"]!;
    }
    // Velocities g, 1.5 g, 1.75 g; steps of half of each.
    expect([...parameter]).to.deep.equal([...gradient].map((g) => -0.5 * (1 + 1.5 + 1.75) * g + 0));
  });
});
