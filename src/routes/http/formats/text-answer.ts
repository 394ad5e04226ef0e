import { Asker, presentAsker } from "../access/asker.ts";
import { requesterOf } from "../access/requester.ts";
import { headAnswer } from "../head-answer.ts";
import { compressedStream } from "./compress.ts";
import { encodingOf } from "./negotiate.ts";
import { encoded, streamedBody } from "./streamed-body.ts";

/** A text that is made in parts. */
export interface TextAnswer {
  readonly request: Request;
  readonly contentType: string;
  /** Returns the parts, each of which is made when the stream of the response asks for it. Not called for a HEAD request. */
  readonly parts: () => Generator<string, void>;
}

/** Streams a text with one part in memory at a time. It counts as an export of the client. */
export function textAnswer({ request, contentType, parts }: TextAnswer): Response {
  const encoding = encodingOf(request);
  const headers = {
    ...{ "content-type": contentType, "cache-control": "no-cache", vary: "accept, accept-encoding" },
    ...(encoding === undefined ? {} : { "content-encoding": encoding }),
  };
  if (request.method === "HEAD") return headAnswer(request, headers);
  // the stream is read after the request's handler has ended
  const asker = presentAsker() ?? new Asker(() => requesterOf(request));
  const release = asker.hold("exports");
  const body = streamedBody(encoded(inTurn(parts(), asker)), asker, release);
  return new Response(encoding === undefined ? body : compressedStream(body, encoding), { headers });
}

/** Empty texts are left out, because a stream does not pull again after an empty text. */
async function* inTurn(parts: Generator<string, void>, asker: Asker): AsyncGenerator<string, void> {
  for (const text of parts) {
    if (text !== "") yield text;
    await asker.othersFirst();
  }
}
