/** An error that the balancer itself answers, in the envelope of the API. */
interface BalancerError {
  readonly status: 502 | 503;
  readonly code: "gateway_failed" | "no_gateway" | "no_room";
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
