import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let closed: TestGateway;
let listing: TestGateway;
let reading: TestGateway;

const withOrigins = (corsOrigins: readonly string[]): TestGateway =>
  gatewayOver(stored, { http: { rateLimitPerSecond: 0, trustsForwardedFor: false, corsOrigins } });

beforeAll(async () => {
  stored = await openFleetStore();
  closed = gatewayOver(stored);
  listing = withOrigins(["https://dash.example"]);
  reading = withOrigins(["*"]);
});
afterAll(() => stored.close());

const host = "localhost:8080";
const mutation = 'mutation { deleteDeadLetter(id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2") { id } }';

/** Requests as `METHOD path`; one with a body of GraphQL is a POST to /graphql. */
const reads = [
  "GET /api/v1/gpus",
  "HEAD /api/v1/telemetry",
  "GET /graphql?query={__typename}",
  "GET /health",
  "GET /metrics",
];
const pages = ["GET /docs", "GET /swagger/", "GET /graphql"];
const changes = [
  "POST /api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2/redrive",
  "DELETE /api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2",
  "PATCH /api/v1/gpus",
  "PUT //api/v1/gpus;x=%2e%2e",
];
const sockets = ["UPGRADE /ws", "UPGRADE /graphql", "UPGRADE /none"];

async function answerOf(gateway: TestGateway, asked: string, headers: Record<string, string>): Promise<Response> {
  const [verb = "", path = ""] = asked.split(" ");
  const upgrade = { connection: "upgrade", upgrade: "websocket" };
  const method = verb === "UPGRADE" ? "GET" : verb;
  return gateway.get(path, { method, headers: { host, ...headers, ...(verb === "UPGRADE" ? upgrade : {}) } });
}

async function isRefused(gateway: TestGateway, asked: string, headers: Record<string, string>): Promise<boolean> {
  return (await answerOf(gateway, asked, headers)).status === 403;
}

async function expectRefusals(
  gateway: TestGateway,
  sender: Record<string, string>,
  expected: Readonly<Record<"reads" | "pages" | "changes" | "sockets", boolean>>,
): Promise<void> {
  const kinds = { reads, pages, changes, sockets };
  for (const [kind, all] of Object.entries(kinds)) {
    for (const asked of all) {
      const refused = await isRefused(gateway, asked, sender);
      expect([sender, asked, refused]).toEqual([sender, asked, expected[kind as keyof typeof kinds]]);
    }
  }
}

const nothing = { reads: false, pages: false, changes: false, sockets: false };
const everything = { reads: true, pages: true, changes: true, sockets: true };
const from = (origin: string, site?: string) => ({ origin, ...(site === undefined ? {} : { "sec-fetch-site": site }) });
const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

describe("not refused is", () => {
  const senders: readonly Record<string, string>[] = [
    {},
    { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    { "sec-fetch-site": "same-origin" },
    from("http://localhost:8080"),
    from("http://localhost:8080", "same-origin"),
  ];
  for (const sender of senders) {
    test(`a program, or the gateway's own page: ${JSON.stringify(sender)}`, () =>
      expectRefusals(closed, sender, nothing));
  }

  test("a page of an origin that CORS_ORIGINS lists", () =>
    expectRefusals(listing, from("https://dash.example", "cross-site"), nothing));

  test("an own page behind a proxy that speaks TLS", async () => {
    const own = { host: "gw.localhost", origin: "https://gw.localhost" };
    expect(await isRefused(closed, changes[0] as string, own)).toBe(false);
    expect(await isRefused(closed, changes[0] as string, { ...own, host: "gw.localhost:443" })).toBe(false);
  });

  test("the question that a browser asks before it sends", async () => {
    const preflight = { ...from("https://evil.example", "cross-site"), "access-control-request-method": "DELETE" };
    const answer = await answerOf(listing, `OPTIONS ${changes[1]?.split(" ")[1]}`, preflight);
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([204, null]);
  });
});

describe("refused is a page of another origin", () => {
  const senders: readonly Record<string, string>[] = [
    from("https://evil.example", "cross-site"),
    from("https://evil.example"),
    from("null", "cross-site"),
    from("null"),
    // another port of the same machine is another origin
    from("http://localhost:3000", "same-site"),
    from("http://localhost:3000"),
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" },
    { "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    // the name is its own, but the browser says that the page's scheme is not
    from("http://localhost:8080", "cross-site"),
    ...["http://localhost:8080/", "http://u@localhost:8080", "localhost:8080", "file://localhost:8080"].map((text) =>
      from(text),
    ),
    ...["http://localhost:8080, http://localhost:8080", "", "constructor", "https://dash.example.evil.example"].map(
      (text) => from(text),
    ),
  ];
  for (const sender of senders) {
    test(JSON.stringify(sender), async () => {
      await expectRefusals(closed, sender, everything);
      await expectRefusals(listing, sender, everything);
    });
  }

  test("with an error that says what and why, and what to set", async () => {
    const answer = await answerOf(closed, changes[0] as string, from("https://evil.example", "cross-site"));
    expect(await answer.json()).toEqual({
      success: false,
      error: {
        code: "cross_origin",
        message: `A page of https://evil.example may not send POST to ${changes[0]?.slice(5)} here; if the page may, add its origin to CORS_ORIGINS`,
        details: { origin: "https://evil.example", path: changes[0]?.slice(5), setting: "CORS_ORIGINS" },
      },
    });
  });

  test("and nothing changes: a form that redelivers a dead letter", async () => {
    const [id = ""] = await addTwoDeadLetters(closed.queue);
    const path = `/api/v1/pipeline/dead-letters/${id}/redrive`;
    const form = { "content-type": "application/x-www-form-urlencoded", ...from("https://evil.example", "cross-site") };
    expect(await isRefused(closed, `POST ${path}`, form)).toBe(true);
    expect((await answerOf(closed, `GET /api/v1/pipeline/dead-letters/${id}`, {})).status).toBe(200);
    expect((await answerOf(closed, `POST ${path}`, {})).status).toBe(200);
  });
});

test("other pages may link to the pages for people; a link to data works if a person clicks it", async () => {
  await expectRefusals(closed, link, { ...everything, pages: false });
  await expectRefusals(closed, { ...link, "sec-fetch-user": "?1" }, { ...everything, pages: false, reads: false });
  expect(await isRefused(closed, "GET /graphql?query={__typename}", link)).toBe(true);
});

describe("with CORS_ORIGINS=*", () => {
  const page = from("https://any.example", "cross-site");
  const ask = async (query: string, headers: Record<string, string>) => {
    const body = JSON.stringify({ query });
    const init = { method: "POST", headers: { host, "content-type": "application/json", ...headers }, body };
    return (await (await reading.get("/graphql", init)).json()) as { errors?: { extensions: { code: string } }[] };
  };

  test("any page may read and open sockets, and may change nothing", async () => {
    for (const sender of [page, { "sec-fetch-site": "cross-site" }]) {
      for (const asked of [...reads, ...pages, "UPGRADE /ws", "UPGRADE /graphql"])
        expect([asked, await isRefused(reading, asked, sender)]).toEqual([asked, false]);
      for (const asked of [...changes, "UPGRADE /none"])
        expect([asked, await isRefused(reading, asked, sender)]).toEqual([asked, true]);
    }
  });

  test("GraphQL answers its queries and refuses its mutations, without keeping the refusal for others", async () => {
    expect((await ask("{ __typename }", page)).errors).toBeUndefined();
    expect((await ask(mutation, page)).errors?.map(({ extensions }) => extensions.code)).toEqual(["FORBIDDEN"]);
    expect((await ask(mutation, {})).errors?.map(({ extensions }) => extensions.code)).toEqual(["NOT_FOUND"]);
  });

  test("the answer allows every origin, and never credentials", async () => {
    const { headers } = await answerOf(reading, "GET /api/v1/gpus", page);
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("access-control-allow-credentials")).toBeNull();
  });
});

describe("a Host", () => {
  const probes = ["GET /health/live", "HEAD /health/ready"];

  test("under an address with a zone gets 421, not an error of the process", async () => {
    for (const host of ["fe80::1%eth0", "[::ffff:1:fff:1:127.0.0.1]"])
      expect((await closed.get("/api/v1/gpus", { headers: { host } })).status).toBe(421);
  });

  test("of another name than the process's gets 421 everywhere, except for probes", async () => {
    for (const asked of [
      ...reads,
      ...pages,
      ...changes,
      ...sockets,
      "OPTIONS /api/v1/gpus",
      "GET /health/live/..",
      "POST /health/live",
    ]) {
      const answer = await answerOf(closed, asked, { host: "evil.example", origin: "http://evil.example" });
      expect([asked, answer.status]).toEqual([asked, 421]);
    }
    for (const asked of probes) expect((await answerOf(closed, asked, { host: "evil.example" })).status).toBe(200);
  });

  test("that is refused is named, shortened, with what to set", async () => {
    const answer = await answerOf(closed, "GET /api/v1/gpus", { host: `${"x".repeat(500)}.example` });
    const { error } = (await answer.json()) as { error: { code: string; message: string; details: object } };
    expect(error).toMatchObject({ code: "host_not_allowed", details: { setting: "ALLOWED_HOSTS" } });
    expect(error.message.length).toBeLessThan(400);
  });
});

describe("the headers", () => {
  test("of every answer, also of errors, forbid guesses at its type, frames and scripts", async () => {
    for (const asked of [
      ...reads,
      ...pages,
      ...changes,
      "GET /none",
      "GET /swagger/swagger.json",
      "GET /swagger/swagger-ui.css",
    ]) {
      const { headers } = await answerOf(closed, asked, {});
      expect([asked, headers.get("x-content-type-options")]).toEqual([asked, "nosniff"]);
      expect([asked, headers.get("referrer-policy")]).toEqual([asked, "same-origin"]);
      expect([asked, headers.get("cross-origin-resource-policy")]).toEqual([asked, "same-origin"]);
      const policy = headers.get("content-security-policy") ?? "";
      expect([asked, policy]).toEqual([
        asked,
        expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'$/) as string,
      ]);
    }
  });

  test("of a page allow no inline script", async () => {
    for (const path of ["/swagger/", "/graphql"]) {
      const { headers } = await closed.get(path, { headers: { accept: "text/html" } });
      expect(headers.get("content-type")).toStartWith("text/html");
      const [, scripts = ""] = /script-src ([^;]*)/.exec(headers.get("content-security-policy") ?? "") ?? [];
      expect(scripts).not.toBe("");
      expect(scripts).not.toContain("unsafe");
    }
  });

  test("say that answers vary by origin where pages of other origins may read", async () => {
    for (const gateway of [listing, reading]) {
      for (const asked of [...reads, ...pages, "GET /none", "OPTIONS /api/v1/gpus"]) {
        for (const sender of [{}, from("https://dash.example")]) {
          const vary = (await answerOf(gateway, asked, sender)).headers.get("vary");
          expect([asked, vary?.split(", ")[0]]).toEqual([asked, "origin"]);
          expect(vary).not.toContain("*");
        }
      }
    }
    expect((await answerOf(listing, "GET /api/v1/gpus", {})).headers.get("vary")).toBe(
      "origin, accept, accept-encoding",
    );
  });
});
