// Makes the package "webgpu" fail as it does where it is missing (DAWN=missing) or has nothing that loads (DAWN=broken).
import { register } from "node:module";

const broken = `throw Object.assign(
  new Error("/lib/libc.so.6: version \`GLIBC_2.34' not found (required by dawn.node)\\nRequire stack: …"),
  { code: "ERR_DLOPEN_FAILED" },
)`;
const hooks = `
export async function resolve(specifier, context, next) {
  if (specifier !== "webgpu") return next(specifier, context);
  if (${JSON.stringify(process.env.DAWN === "broken")})
    return { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(broken)}`)}, shortCircuit: true };
  throw Object.assign(new Error("Cannot find package 'webgpu' imported from " + context.parentURL), { code: "ERR_MODULE_NOT_FOUND" });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
