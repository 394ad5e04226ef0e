import { expect, test } from "bun:test";
import { type AnyElysia, Elysia } from "elysia";
import { slowAnswers } from "../../src/routes/http/slow-answers.ts";

/** Bun looks for idle connections every 4 s. */
const answerMs = 12_000;
const slow = async (): Promise<string> => {
  await Bun.sleep(answerMs);
  return "answered";
};

/** The answer of a server that closes idle connections after a second. */
async function answerOf(app: AnyElysia): Promise<string> {
  const listening = app.listen({ hostname: "127.0.0.1", port: 0, idleTimeout: 1 });
  try {
    return await (await fetch(`http://127.0.0.1:${listening.server?.port}/slow`)).text();
  } catch (error) {
    return (error as Error).message;
  } finally {
    await listening.stop(true);
  }
}

test("an answer that takes longer than a connection may be idle arrives", async () => {
  const [limited, free] = await Promise.all([
    answerOf(new Elysia().get("/slow", slow)),
    answerOf(new Elysia().use(slowAnswers()).get("/slow", slow)),
  ]);
  expect(limited).toContain("closed");
  expect(free).toBe("answered");
}, 60_000);
