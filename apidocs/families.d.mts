/** Names of the families in the order of the site. */
export const families: readonly string[];

/**
 * The family of an export.
 * @param file path from `packages` on, for example "tensor/src/ops/sum.ts"
 * @param name of the export
 */
export function familyOf(file: string, name: string): string | undefined;
