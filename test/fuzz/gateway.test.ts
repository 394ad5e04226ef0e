import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type LoadedGateway, realCsv, startLoadedGateway } from "../support/loaded-gateway.ts";
import { fuzzRound } from "./gateway/rounds.ts";
import { walk } from "./openapi/walk.ts";

// `bun run test:fuzz` sends more such requests.
describe.skipIf(realCsv === undefined)("a gateway", () => {
  let gateway: LoadedGateway;
  beforeAll(async () => void (gateway = await startLoadedGateway()), 90_000);
  afterAll(() => gateway.stop());

  test("gives declared responses to requests that are generated from the OpenAPI document, and never a 5xx", async () => {
    const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
    const { answers, mismatch } = await walk(gateway, 400, seed);
    expect([seed, mismatch]).toEqual([seed, undefined]);
    expect(answers.size).toBeGreaterThan(20);
    expect(gateway.isAlive()).toBe(true);
  }, 60_000);

  test("gives no 500 for mutated requests, bytes and messages, and is as before", async () => {
    const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
    const untilMs = performance.now() + 10_000;
    let inputs = 0;
    for (let round = 0; performance.now() < untilMs; round += 1) {
      const sent = await fuzzRound({ ...gateway, answerWithinMs: 30_000 }, { key: "none", seed, round }).catch(
        (error: unknown) => String(error),
      );
      expect([seed, round, sent]).toEqual([seed, round, expect.any(Number)]);
      inputs += Number(sent);
    }
    expect(inputs).toBeGreaterThan(100);
  }, 60_000);

  const wrongAnswers: [
    what: string,
    change: (answer: Response, url: URL) => Promise<Response> | Response,
    found: RegExp,
  ][] = [
    ["a 500", (answer, url) => (url.searchParams.has("metrics") ? new Response("", { status: 500 }) : answer), /500/],
    [
      "a field that is missing",
      (answer, { pathname }) => (pathname === "/api/v1/metrics" ? without(answer, "count") : answer),
      /must have required property 'count'/,
    ],
    [
      "a text that is not an instant",
      async (answer) => altered(answer, (text) => text.replace("2025-07-18T", "2025-02-30T")),
      /must match format "date-time"/,
    ],
    [
      "a status that is not declared",
      (answer, { pathname }) => (pathname.endsWith("/stats") ? new Response("{}", { status: 202 }) : answer),
      /status 202 is not declared/,
    ],
    [
      "an unknown parameter that is accepted",
      async (answer, { pathname }) =>
        answer.status === 400 && (await answer.clone().text()).includes('"unknown_parameter"')
          ? fetch(gateway.url + pathname, { headers: { "accept-encoding": "identity" } })
          : answer,
      /refuses this request, the gateway answers 200/,
    ],
    [
      "a line that is not an element",
      async (answer) =>
        answer.headers.get("content-type")?.startsWith("application/x-ndjson") === true
          ? altered(answer, (text) => `${text}{}\n`)
          : answer,
      /must have required property/,
    ],
  ];
  for (const [what, change, found] of wrongAnswers) {
    test(`that gives ${what} is found`, async () => {
      const proxy = Bun.serve({
        port: 0,
        fetch: async (request) => {
          const url = new URL(request.url);
          const headers = new Headers(request.headers);
          headers.set("accept-encoding", "identity");
          const target = `${gateway.url}${url.pathname}${url.search}`;
          const { method, body } = request;
          const answer = await fetch(target, { method, headers, body, redirect: "manual" });
          const isChanged = method === "GET" && !url.pathname.startsWith("/swagger");
          return isChanged ? change(answer, url) : answer;
        },
      });
      const { mismatch } = await walk({ url: `http://127.0.0.1:${proxy.port}` }, 3000, 1);
      await proxy.stop(true);
      expect(mismatch).toMatch(found);
    }, 60_000);
  }
});

/** The same response with another text. */
async function altered(answer: Response, change: (text: string) => string): Promise<Response> {
  const { status, headers } = answer;
  const text = change(await answer.text());
  const otherHeaders = [...headers].filter(([name]) => name !== "content-length");
  return new Response(text === "" ? null : text, { status, headers: otherHeaders });
}

function without(answer: Response, field: string): Promise<Response> {
  return altered(answer, (text) => text.replace(new RegExp(`"${field}":\\d+,`), ""));
}
