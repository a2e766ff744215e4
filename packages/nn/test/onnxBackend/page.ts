import { fileURLToPath } from "node:url";

/** The page that holds the outcomes which the tests expect. */
export const page = fileURLToPath(new URL("../../../../docs/onnx-tests.md", import.meta.url));
