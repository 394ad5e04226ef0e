import { requesterOf } from "../../http/access/requester.ts";

/** Who sends a body, and the source that its records have.
 *  @param kind how it is sent */
export function senderOf(
  request: Request,
  kind: "push" | "remote-write" | "otlp",
): { readonly client: string; readonly sourceId: string } {
  const { client, caller } = requesterOf(request);
  return { client, sourceId: `${kind}:${caller.grant.name || "anyone"}` };
}
