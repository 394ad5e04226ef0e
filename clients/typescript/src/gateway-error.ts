/** The gateway answered, and it was no success. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** Stable, for programs, such as `not_found`; empty where the answer was not the gateway's own. */
    readonly code: string,
    text: { readonly message: string; readonly details: Readonly<Record<string, unknown>> },
  ) {
    super(text.message);
    this.details = text.details;
  }

  /** The values behind the message. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** No answer came: nothing listens there, the connection broke, or the time was over. */
export class GatewayUnreachable extends Error {
  override readonly name = "GatewayUnreachable";
}

/** The gateway does not take a subscription: a filter names what there is not, or there are too many. */
export class SubscriptionRefused extends Error {
  override readonly name = "SubscriptionRefused";
  /** The values behind the message. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    /** Stable, for programs, such as `invalid_field`. */
    readonly code: string,
    text: { readonly message: string; readonly details: Readonly<Record<string, unknown>> },
  ) {
    super(text.message);
    this.details = text.details;
  }
}
