import { expect, test } from "bun:test";
import { bodyMaxBytes, type ReadBody, readBody } from "../../../src/routes/graphql/read-body.ts";
import { bodyMaxMs } from "../../../src/routes/http/bounded-body.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A request whose body has these parts, and then no end. */
function endless(parts: readonly string[], headers: Record<string, string> = {}): Request {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => parts.forEach((part) => controller.enqueue(new TextEncoder().encode(part))),
  });
  return new Request("http://localhost/graphql", { method: "POST", headers, body });
}

const statusOf = (read: ReadBody): number => ("refusal" in read ? read.refusal.status : 200);

test("a body that never ends is refused after some seconds, with and without a length, and the connection closed", async () => {
  for (const headers of [{}, { "content-length": "100" }]) {
    const clock = new ManualClock(0);
    const reading = readBody(endless(['{"query":'], headers), clock);
    await clock.advance(bodyMaxMs);
    const read = await reading;
    expect(statusOf(read)).toBe(408);
    const { refusal } = read as { refusal: Response };
    expect(refusal.headers.get("connection")).toBe("close");
    expect(await refusal.json()).toMatchObject({ errors: [{ extensions: { code: "BAD_REQUEST" } }] });
  }
});

test("a body that is too long is refused before it ends", async () => {
  const part = "x".repeat(bodyMaxBytes / 2 + 1);
  expect(statusOf(await readBody(endless([part, part]), new ManualClock(0)))).toBe(413);
  expect(statusOf(await readBody(endless([], { "content-length": "9999999" }), new ManualClock(0)))).toBe(413);
});

test("a body that arrives in parts is read whole", async () => {
  const request = new Request("http://localhost/graphql", { method: "POST", body: '{"query":"{ __typename }"}' });
  expect(await readBody(request, new ManualClock(0))).toEqual({ text: '{"query":"{ __typename }"}' });
});
