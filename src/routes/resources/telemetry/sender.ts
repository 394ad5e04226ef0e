import type { Push } from "../../../pipeline/source/push.ts";
import { requesterOf } from "../../http/access/requester.ts";

/** Who sends a body, the source that its records have, and the trace that it is a part of.
 *  @param kind how it is sent */
export function senderOf(
  request: Request,
  kind: "push" | "remote-write" | "otlp",
): Pick<Push, "client" | "sourceId" | "traceparent"> {
  const { client, caller } = requesterOf(request);
  const traceparent = request.headers.get("traceparent") ?? undefined;
  return { client, sourceId: `${kind}:${caller.grant.name || "anyone"}`, traceparent };
}
