/** The way from a messy folder to a verdict, by the command line. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCheckpoint, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import sharp from "sharp";
import { type MessyFolder, writeMessyFolder } from "../../node/test/messyFolder.ts";
import { ddad, smallSettings } from "./commandLine.ts";

describe("ddad with a messy folder", () => {
  let folder: string;
  let messy: MessyFolder;
  const path = (...parts: string[]) => join(folder, ...parts);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-messy-"));
    messy = await writeMessyFolder(path("parts"), { small: true, plain: 6 });
  });
  after(() => rmSync(folder, { recursive: true }));

  it("trains and calibrates without what cannot be read if it may leave it out; otherwise names all of it", async function () {
    this.timeout(60_000);
    const args = ["train", "--data", path("parts"), ...smallSettings, "--out", path("run")];
    const refused = await ddad(...args);
    expect(refused.code).to.equal(2);
    for (const [name, reason] of Object.entries(messy.unreadable)) {
      expect(refused.errors).to.include(`${name} ${reason}`);
    }
    expect(refused.errors).to.include("skip them with --skip-unreadable");
    expect(existsSync(path("run"))).to.equal(false);

    const trained = await ddad(...args, "--skip-unreadable");
    expect(trained.code, trained.errors).to.equal(0);
    expect(trained.errors).to.include("left out: ");
    const { train, heldOut } = JSON.parse(readFileSync(path("run/split.json"), "utf8")) as {
      train: string[];
      heldOut: string[];
    };
    expect([...train, ...heldOut]).to.have.members(Object.keys(messy.readable));

    const calibrate = ["calibrate", "--checkpoint", path("run"), "--skip-unreadable"];
    const calibrated = await ddad(...calibrate, "--set", "sampling.stride=25", "--force");
    expect(calibrated.code, calibrated.errors).to.equal(0);
  });

  it("inspects an image as it is stored by a model of a version that turned none, else as it is shown", async function () {
    this.timeout(60_000);
    const model = await readCheckpoint(path("run/model.safetensors"));
    const config = JSON.parse(model.metadata["config"]!) as { data: Record<string, unknown> };
    expect(config.data["orientation"]).to.equal("exif");
    const { orientation: _, ...data } = config.data;
    const metadata = { ...model.metadata, config: JSON.stringify({ ...config, data }) };
    writeFileSync(path("old.safetensors"), writeSafetensors(model, metadata));

    // The pixels of one photo, as they are stored and as they are shown, without loss.
    const photo = readFileSync(path("parts", "phone, turned.jpg"));
    const [turned, stored, shown] = [path("turned.png"), path("stored.png"), path("shown.png")];
    const pixels = sharp(await sharp(photo).png().toBuffer());
    await pixels.clone().withMetadata({ orientation: 6 }).png().toFile(turned);
    await pixels.clone().png().toFile(stored);
    await pixels.clone().rotate(90).png().toFile(shown);
    const score = async (image: string, checkpoint: string): Promise<number> => {
      const { output, errors } = await ddad(
        ...[
          "predict",
          image,
          "--checkpoint",
          checkpoint,
          "--out",
          path("predictions"),
          "--overwrite",
          "--json",
        ],
      );
      const found = JSON.parse(output || "{}") as { images?: { score: number }[] };
      expect(found.images, errors).to.have.length(1);
      return found.images![0]!.score;
    };
    const [now, old] = [path("run/model.safetensors"), path("old.safetensors")];
    expect(await score(shown, now)).to.not.equal(await score(stored, now));
    expect(await score(turned, now)).to.equal(await score(shown, now));
    expect(await score(turned, old)).to.equal(await score(stored, now));

    const changed = await ddad("evaluate", "--checkpoint", old, "--set", "data.orientation=exif");
    expect(changed.code).to.equal(2);
    expect(changed.errors).to.include('data.orientation is "stored" and cannot become "exif"');
  });

  it("runs good/ and bad/ to the end, and does so again as a run that began before images were turned", async function () {
    this.timeout(60_000);
    for (const [name, count] of [
      ["good", 10],
      ["bad", 3],
    ] as const) {
      await writeMessyFolder(path("classes", name), { small: true, plain: count });
    }
    const args = ["run", "--data", path("classes"), ...smallSettings, "--out", path("classesRun")];
    const { code, output, errors } = await ddad(...args, "--skip-unreadable");
    expect(code, errors).to.equal(0);
    expect(output).to.match(/classes/);
    const yaml = readFileSync(path("classesRun/config.yaml"), "utf8");
    expect(yaml).to.include("orientation: exif\n");
    writeFileSync(path("classesRun/config.yaml"), yaml.replace(/ *orientation: exif\n/, ""));
    const again = await ddad(...args, "--skip-unreadable");
    expect(again.code, again.errors).to.equal(0);
    expect(again.errors).to.include("began without data.orientation: images stay as they are stored");
  });
});
