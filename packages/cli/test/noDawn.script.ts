/** What works where Dawn does not: everything but a device. */
import { auroc, averagePrecision } from "@ddad/ddad";
import { listAdapters, setupDevice } from "@ddad/nn";

const say = (error: unknown): void =>
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : error);

say(auroc([0, 1, 1], [0.1, 0.2, 0.3]) + averagePrecision([0, 1, 1], [0.1, 0.2, 0.3]));
await setupDevice().catch(say);
await listAdapters().catch(say);
