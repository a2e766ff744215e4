import { check, finish } from "./harness.ts";

await check("the README's example runs", async () => {
  await import("virtual:readme-example");
});

finish();
