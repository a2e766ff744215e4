/** JSON texts in the header of a checkpoint. */
import { type Checkpoint, CheckpointError } from "@ddad/nn";
import type * as z from "zod";

/**
 * What a JSON text in a header says.
 *
 * @param schema takes `undefined` where the text may be absent.
 * @param name what to call the file in an error.
 * @throws CheckpointError when it is not JSON, or not what the schema asks for.
 */
export function readHeaderText<T>(
  { metadata }: Checkpoint,
  key: string,
  schema: z.ZodType<T>,
  name: string,
): T {
  const text = metadata[key];
  const { success, data, error } = schema.safeParse(text === undefined ? undefined : parsed(text));
  if (success) return data;
  const [issue] = error.issues;
  const path = issue!.path.length > 0 ? `${issue!.path.join(".")}: ` : "";
  throw new CheckpointError(
    `${name}: "${key}" in its header cannot be understood (${path}${issue!.message}); the file is damaged, or of another version.`,
  );
}

/** What is no JSON stays the text that it is, for the schema to refuse. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
