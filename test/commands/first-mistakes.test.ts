import { expect, test } from "bun:test";
import { runTelemetry } from "../clients/run-telemetry.ts";

test("a misspelled variable of a command is told without its value, and those of Kubernetes are not", async () => {
  const env = { TELEMETRY_ULR: "gateway:1", TELEMETRY_KEYS: "secret", TELEMETRY_PORT: "tcp://10.0.0.1:80" };
  const { errors } = await runTelemetry(1, ["hosts"], env);
  expect(errors.split("\n").filter((line) => line.startsWith("warning:"))).toEqual([
    "warning: TELEMETRY_ULR has no effect: TELEMETRY_URL seems to be meant",
    "warning: TELEMETRY_KEYS has no effect: TELEMETRY_KEY seems to be meant",
  ]);
  expect(errors).not.toContain("secret");
});

test("without a command, telemetry lists the commands, which is no error", async () => {
  const { status, text, errors } = await runTelemetry(1, []);
  expect([status, errors]).toEqual([0, ""]);
  expect(text).toContain("Commands:");
});

test("a command that nothing answers says what starts a pipeline", async () => {
  const { status, errors } = await runTelemetry(1, ["hosts"]);
  expect(status).toBe(2);
  expect(errors).toContain("got no answer: nothing listens there: 'bun run dev' starts a pipeline");
  expect(errors).not.toContain("ECONNREFUSED");
});
