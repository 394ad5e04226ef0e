import { acceptedTypes } from "../http/formats/negotiate.ts";

/** Types of results. Of those that a client accepts equally, the first is taken. */
const types = ["application/json", "application/graphql-response+json", "text/event-stream", "multipart/mixed"];
/** Matches no type. */
const none = "none/none";
/** What only a weight or a charset needs: Yoga reads neither weights nor charsets other than UTF-8. */
const hasWeights = /;\s*(?:q|charset)\s*=/i;
const page = "text/html";

/** Rewrites an Accept header with weights or charsets as the list of the types that it allows, the preferred one first, which Yoga reads.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2 ("a value of 0 means 'not acceptable'") */
export function rewriteAccept(headers: Headers): void {
  const accept = headers.get("accept") ?? "";
  if (!hasWeights.test(accept)) return;
  // a wildcard does not ask for GraphiQL
  const available = accept.includes(page) ? [...types, page] : types;
  const allowed = acceptedTypes(accept, available);
  const [apollo] = /;\s*subscriptionspec\s*=\s*"?1\.0"?/i.exec(accept) ?? [""];
  const written = allowed.map((type) => (type === "multipart/mixed" ? `${type}${apollo}` : type));
  headers.set("accept", written.join(", ") || none);
}
