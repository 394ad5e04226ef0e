import { expect, test } from "bun:test";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

const typeOf = async (path: string, headers: Record<string, string>): Promise<string> => {
  const answer = await running.gateway.get(path, { headers });
  const [type = ""] = (answer.headers.get("content-type") ?? "").split(";");
  return answer.status === 200 ? type : `${answer.status} ${await answer.text()}`;
};

test("a media range chooses a format whatever parameters it has, and however it is spelled", async () => {
  for (const [accept, type] of [
    ["application/json; charset=utf-8", "application/json"],
    ["application/json;charset=UTF-8, text/plain;q=0.9, */*;q=0.1", "application/json"],
    ["text/csv; charset=utf-8", "text/csv"],
    ["text/csv;charset=utf-8;header=present ; q=0.9, application/json;q=0.1", "text/csv"],
    ['TEXT/CSV ; profile="a;b,c"', "text/csv"],
    ["text/csv;q=0.1;x=y, application/json;q=0.9", "application/json"],
    ["text/csv; q=0, application/json", "application/json"],
    ["application/jsonl", "application/jsonl"],
    ["application/ndjson; charset=utf-8", "application/ndjson"],
    ["application/x-ndjson", "application/x-ndjson"],
    ["application/vnd.apache.parquet", "application/vnd.apache.parquet"],
    ["text/*", "text/csv"],
    ["", "application/json"],
  ] as const)
    expect([accept, await typeOf("/api/v1/gpus", { accept })]).toEqual([accept, type]);
});

test("what cannot be given is refused with the types that can, and a type of weight 0 is not given", async () => {
  for (const accept of ["image/png", "application/problem+json", "text/csv;q=0, application/json;q=0"]) {
    const refused = await typeOf("/api/v1/telemetry", { accept });
    expect(refused).toStartWith("406 ");
    for (const type of ["application/json", "text/csv", "application/x-ndjson"]) expect(refused).toContain(type);
  }
});

test("gzip comes before zstd unless the client prefers zstd", async () => {
  for (const [accepted, chosen] of [
    ["gzip, deflate, br, zstd", "gzip"],
    ["zstd, gzip", "gzip"],
    ["*", "gzip"],
    ["zstd", "zstd"],
    ["gzip;q=0.5, zstd", "zstd"],
  ] as const) {
    for (const accept of ["application/json", "text/csv"]) {
      const { headers } = await running.gateway.get("/api/v1/telemetry", {
        headers: { "accept-encoding": accepted, accept },
      });
      expect([accepted, accept, headers.get("content-encoding")]).toEqual([accepted, accept, chosen]);
    }
  }
});

test("a body with a coding is refused in a sentence; identity is no coding", async () => {
  const ask = async (path: string, coding: string, type: string) => {
    const body = coding === "identity" ? '{"query":"{ __typename }"}' : Bun.gzipSync('{"query":"{ __typename }"}');
    const headers = { "content-type": type, "content-encoding": coding, "content-length": String(body.length) };
    const answer = await running.gateway.get(path, { method: "POST", headers, body });
    return [answer.status, await answer.text()] as const;
  };
  for (const type of ["application/json", "Application/JSON ; charset=UTF-8"]) {
    for (const path of ["/graphql", "/api/v1/quarantine/999/redrive"]) {
      for (const coding of ["gzip", "zstd", "br"]) {
        const [status, text] = await ask(path, coding, type);
        expect([path, coding, status]).toEqual([path, coding, 415]);
        expect(text).toContain(`Content-Encoding \\"${coding}\\" is not supported`);
      }
    }
    expect(await ask("/graphql", "identity", type)).toEqual([200, '{"data":{"__typename":"Query"}}']);
    expect((await ask("/api/v1/quarantine/999/redrive", "identity", type))[0]).toBe(404);
  }
});
