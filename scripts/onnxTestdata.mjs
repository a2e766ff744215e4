#!/usr/bin/env node
// Installs ONNX's backend tests (Debian's and Ubuntu's package libonnx-testdata) where they are missing, for `npm run test:onnx`
// and the suite. Set-up calls it in CI only, and goes on without them where that fails: the tests are skipped then, with a reason.
import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findAdministrator, quiet, readSystem, run } from "./driver.mjs";

const name = "libonnx-testdata";
const folder = "/usr/share/libonnx-testdata/data";

/** Says in one line whether the tests are there now. Throws nothing. */
export function ensureOnnxTestdata(report = console.log) {
  if (existsSync(folder)) return report("ONNX's backend tests: present");
  const administrator = findAdministrator();
  if (!readSystem().apt || !administrator) {
    return report(
      `ONNX's backend tests: not installed (needs apt and the rights of root): apt-get install ${name}`,
    );
  }
  // The package has no dependencies to speak of; its models are 40 MB.
  const install = ["apt-get", ...quiet, "install", "--yes", "--no-install-recommends", name];
  let { failure } = run(administrator, install);
  if (failure) {
    run(administrator, ["apt-get", ...quiet, "update"]);
    ({ failure } = run(administrator, install));
  }
  report(`ONNX's backend tests: ${failure ? `not installed. ${failure}` : "installed"}`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) ensureOnnxTestdata();
