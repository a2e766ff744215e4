/** Headers that are damaged, or were written by another program: a sentence that names the file and what is wrong in it. */
import { type Checkpoint, CheckpointError, readSafetensors, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { decodeAdaptationState, encodeAdaptationState } from "../src/adaptation/stateFile.ts";
import {
  decodeModel,
  decodeTrainingState,
  encodeModel,
  encodeTrainingState,
} from "../src/model/modelFile.ts";
import { smallConfig } from "./small.ts";

const config = smallConfig();
const weights = new Map();
const model = encodeModel({ config, step: 3, weights, adaptedSteps: 2 });
const training = encodeTrainingState({
  ...{ config, step: 3, weights, optimizer: weights },
  best: { step: 2, loss: 0.5 },
});
const adaptation = encodeAdaptationState({
  ...{ step: 3, best: { step: 2, loss: 0.5 }, looksSinceBest: 1, settings: { protocol: "strict" } },
  ...{ extractor: weights, optimizer: weights },
});

/** The file with another text in its header; without the text where there is none. */
function changed(bytes: Uint8Array, key: string, text: string | undefined): Checkpoint {
  const { [key]: _, ...others } = readSafetensors(bytes).metadata;
  return readSafetensors(
    writeSafetensors(new Map(), text === undefined ? others : { ...others, [key]: text }),
  );
}

describe("a header", () => {
  it("says what was written", () => {
    expect(decodeModel(readSafetensors(model))).to.include({ step: 3, adaptedSteps: 2 });
    expect(decodeTrainingState(readSafetensors(training)).best).to.deep.equal({ step: 2, loss: 0.5 });
    expect(decodeAdaptationState(readSafetensors(adaptation))).to.include({ step: 3, looksSinceBest: 1 });
    expect(decodeTrainingState(changed(training, "best", undefined)).best).to.equal(undefined);
    expect(decodeModel(changed(model, "adaptedSteps", undefined)).adaptedSteps).to.equal(undefined);
  });

  const decoders = {
    model: [model, decodeModel],
    training: [training, decodeTrainingState],
    adaptation: [adaptation, decodeAdaptationState],
  } as const;
  for (const [kind, key, text, reason] of [
    ["model", "step", "many", "expected number"],
    ["model", "step", undefined, "received undefined"],
    ["model", "step", "-1", "Too small"],
    ["model", "config", "{", "expected object"],
    ["model", "adaptedSteps", "", "expected number"],
    ["model", "calibration", '{"scores":', "expected object"],
    ["model", "calibration", '{"scores":[1]}', "scores"],
    ["training", "step", "NaN", "expected number"],
    ["training", "best", "best", "expected object"],
    ["training", "best", '{"step":2}', "loss: "],
    ["training", "best", '{"step":"2","loss":0.5}', "step: "],
    ["adaptation", "state", '{"step":', "expected object"],
    ["adaptation", "state", "{}", "step: "],
    ["adaptation", "state", undefined, "received undefined"],
  ] as const) {
    it(`of a file of kind ${kind} is refused where ${key} is ${text === undefined ? "missing" : JSON.stringify(text)}`, () => {
      const [bytes, decode] = decoders[kind];
      expect(() => decode(changed(bytes, key, text), "x.safetensors"))
        .to.throw(CheckpointError)
        .with.property("message")
        .that.matches(new RegExp(`^x\\.safetensors: "${key}" in its header cannot be understood \\(`))
        .and.includes(reason);
    });
  }
});
