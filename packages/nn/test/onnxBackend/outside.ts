/** A model that asks for what the library does not have, or does not mean to have. */
export class Outside extends Error {
  override readonly name = "Outside";
  /** `notApplicable`: no matter of a tensor library of this kind; `notExpressible`: a user would miss it. */
  readonly kind: "notApplicable" | "notExpressible";
  readonly reason: string;

  constructor(kind: "notApplicable" | "notExpressible", reason: string) {
    super(`${kind}: ${reason}`);
    this.kind = kind;
    this.reason = reason;
  }
}
