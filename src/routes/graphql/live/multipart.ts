import type { Plugin } from "graphql-yoga";
import type { Clock } from "../../../kit/clock.ts";

/** Bun closes a connection on which nothing is sent for 30 s. */
const heartbeatMs = 10_000;

const boundary = "graphql";

/** Answers subscriptions over HTTP in parts: for a client that asks for `multipart/mixed;subscriptionSpec=1.0`, as Apollo's do, each
 *  result is the `payload` of its part, and `{}` is a heartbeat; for `multipart/mixed` alone, each part is a result.
 *  Source: https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol */
export function multipartSubscriptions(clock: Clock): Plugin {
  return {
    onResultProcess: (event) => {
      const { request, result, resultProcessor, acceptableMediaTypes } = event;
      if (!isIterable(result)) return;
      acceptableMediaTypes.push("multipart/mixed");
      const accept = request.headers.get("accept") ?? "";
      if (resultProcessor !== undefined || !/multipart\/mixed/i.test(accept)) return;
      const isApollo = /subscriptionspec\s*=\s*"?1\.0/i.test(accept);
      event.setResultProcessor(() => answerOf(result, isApollo, clock), "multipart/mixed");
    },
  };
}

function isIterable(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

function answerOf(results: AsyncIterable<unknown>, isApollo: boolean, clock: Clock): Response {
  const type = `multipart/mixed; boundary="${boundary}"${isApollo ? "; subscriptionSpec=1.0" : ""}`;
  const headers = { "content-type": type, "cache-control": "no-cache" };
  return new Response(partsOf(results, isApollo, clock), { headers });
}

function partsOf(
  results: AsyncIterable<unknown>,
  isApollo: boolean,
  clock: Clock,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const iterator = results[Symbol.asyncIterator]();
  let stopHeartbeat = (): void => undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => {
      controller.enqueue(encoder.encode(`--${boundary}`));
      const beat = (): void => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(partOf({})));
        stopHeartbeat = clock.after(heartbeatMs, beat);
      };
      if (isApollo) stopHeartbeat = clock.after(heartbeatMs, beat);
    },
    pull: async (controller) => {
      const next: IteratorResult<unknown, unknown> = await iterator.next();
      const content = isApollo ? { payload: next.value } : next.value;
      if (next.done !== true) return controller.enqueue(encoder.encode(partOf(content)));
      stopHeartbeat();
      controller.enqueue(encoder.encode("--\r\n"));
      controller.close();
    },
    cancel: async () => {
      stopHeartbeat();
      await iterator.return?.();
    },
  });
}

/** A part, and the boundary after it: clients read a part when they see its end. */
function partOf(content: unknown): string {
  return `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(content)}\r\n--${boundary}`;
}
