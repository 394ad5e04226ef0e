import { expect, test } from "bun:test";
import { unreachableHint } from "../../scripts/gateway/unreachable-hint.ts";
import { recordsBehindApi } from "../../scripts/verify/stored-records.ts";

const reset = "GET http://localhost:8080/x got no answer: ECONNRESET: The socket connection was closed unexpectedly.";

test.each([
  ["http://localhost:8080", reset, "; if the gateway serves TLS, use https://localhost:8080"],
  ["https://localhost:8080", reset, ""],
  ["https://a", "self signed certificate in certificate chain", "TELEMETRY_CA_FILE names the authority"],
  ["https://a", "unable to get local issuer certificate", "TELEMETRY_CA_FILE names the authority"],
  ["https://a", "unable to verify the first certificate", "TELEMETRY_CA_FILE names the authority"],
  ["https://a", "ECONNREFUSED", ""],
])("a command that gets no answer from %s because of TLS says what to set", (url, reason, hint) => {
  const said = unreachableHint(url, reason);
  if (hint === "") expect(said).toBe("");
  else expect(said).toContain(hint);
});

test("verify names the URL that gave no answer, and what changes it", async () => {
  const window = { uuid: "GPU-1", startMs: 0, endMs: 1 };
  const refused = await recordsBehindApi("http://127.0.0.1:1")
    .recordsOf(window)
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "gateway_failed",
    message: expect.stringMatching(
      /^no gateway answers at http:\/\/127\.0\.0\.1:1 \(.*\): start it there, .* --url, or its HOST and PORT$/,
    ) as string,
  });
});
