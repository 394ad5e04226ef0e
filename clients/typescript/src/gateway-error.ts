/** A call was answered with an error. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** A stable code for programs, such as `not_found`; empty if the answer has no code. */
    readonly code: string,
    text: { readonly message: string; readonly details: Readonly<Record<string, unknown>> },
  ) {
    super(text.message);
    this.details = text.details;
  }

  /** Details for programs, such as the name of a parameter. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A call got no complete answer, for example because the gateway is not listening, the connection broke, or the timeout was
 *  exceeded. */
export class GatewayUnreachable extends Error {
  override readonly name = "GatewayUnreachable";
}

/** The gateway refuses a subscription, for example because a filter has an unknown value. */
export class SubscriptionRefused extends Error {
  override readonly name = "SubscriptionRefused";
  /** Details for programs, such as the name of a parameter. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    /** A stable code for programs, such as `invalid_field`. */
    readonly code: string,
    text: { readonly message: string; readonly details: Readonly<Record<string, unknown>> },
  ) {
    super(text.message);
    this.details = text.details;
  }
}
