/** An error that the balancer itself answers, in the envelope of the API. */
interface BalancerError {
  readonly status: 400 | 403 | 421 | 502 | 503 | 504;
  readonly code:
    | "invalid_host"
    | "tls_required"
    | "host_not_allowed"
    | "gateway_failed"
    | "no_gateway"
    | "no_room"
    | "gateway_timeout";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Renders an error as the gateways do. */
export function errorResponse({ status, code, message, details }: BalancerError): Response {
  const headers: Record<string, string> = status === 503 ? { "retry-after": "1" } : {};
  return Response.json({ success: false, error: { code, message, details } }, { status, headers });
}

/** No gateway could be reached. @param tried the number of gateways in the list */
export function noGateway(known: number): Response {
  return errorResponse({
    status: 503,
    code: "no_gateway",
    message: "No gateway answers; try again. /balancer/status lists the gateways",
    details: { gateways: known },
  });
}

/** Refuses a request whose Host header is not the name of one host. */
export function invalidHost({ headers }: Request): Response {
  return errorResponse({
    status: 400,
    code: "invalid_host",
    message: "The Host header is not usable; expected one host name or address, with or without a port",
    details: { value: headers.get("host") },
  });
}

/** Refuses a request under a name that is not the balancer's own. */
export function hostNotAllowed(host: string): Response {
  return errorResponse({
    status: 421,
    code: "host_not_allowed",
    message: "There is no balancer under this Host; if it is a name of this one, add it to ALLOWED_HOSTS",
    details: { host, setting: "ALLOWED_HOSTS" },
  });
}

/** Refuses a request at the balancer's port behind TLS. */
export function tlsRequired(): Response {
  return errorResponse({
    status: 403,
    code: "tls_required",
    message: "This port is for the balancer itself; use the port that serves TLS",
    details: {},
  });
}

/** About a gateway that did not answer a request. */
interface Unanswered {
  readonly gateway: string;
  /** True if the request changes nothing. */
  readonly isRepeatable: boolean;
}

const adviceFor = ({ isRepeatable }: Unanswered): string =>
  isRepeatable ? "try again" : "check whether the change was made, and try again";

/** The gateway closed the connection. @param reason from the client of HTTP */
export function gatewayFailed({ reason, ...about }: Unanswered & { readonly reason: string }): Response {
  return errorResponse({
    status: 502,
    code: "gateway_failed",
    message: `The gateway ended the connection before it answered; ${adviceFor(about)}`,
    details: { gateway: about.gateway, reason },
  });
}

/** The gateway took too long. */
export function gatewayTimeout(about: Unanswered & { readonly responseTimeoutMs: number }): Response {
  const seconds = about.responseTimeoutMs / 1000;
  return errorResponse({
    status: 504,
    code: "gateway_timeout",
    message: `The gateway did not answer in time (BALANCER_RESPONSE_TIMEOUT_SECONDS=${seconds}); ${adviceFor(about)}`,
    details: { gateway: about.gateway },
  });
}
