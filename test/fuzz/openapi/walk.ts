import fc from "fast-check";
import { answerCheckOf } from "./answer-check.ts";
import { type FuzzRequest, requestsOf } from "./requests.ts";
import { schemaCheckOf } from "./schema-check.ts";
import { readServedDocument, type WalkedGateway } from "./served-document.ts";

/** The result of a walk. */
export interface Walk {
  readonly seed: number;
  /** The number of answers by operation, method and status, such as `listGpus GET 200`. */
  readonly answers: ReadonlyMap<string, number>;
  /** The smallest of the requests whose responses were wrong, with the reason; undefined if all responses were right. */
  readonly mismatch: string | undefined;
}

/** Sends generated requests for every operation to a gateway: valid ones, invalid ones, and ones with values at the
 *  limits of their schemas. Each response must pass the check of answer-check.ts, which refuses every 5xx. */
export async function walk(gateway: WalkedGateway, requests: number, seed: number): Promise<Walk> {
  const document = await readServedDocument(gateway);
  const check = schemaCheckOf(document);
  const checkAnswer = answerCheckOf(document, check);
  const answers = new Map<string, number>();
  const property = fc.asyncProperty(requestsOf(document.operations, check), async (request) => {
    const answer = await send(gateway, request);
    const key = `${request.operation.id} ${request.method} ${answer.status}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
    const error = await checkAnswer(request, answer);
    if (error !== undefined) throw new Error(error);
  });
  const result = await fc.check(property, { numRuns: requests, seed });
  const [request] = result.counterexample ?? [];
  const mismatch = request === undefined ? undefined : `${describe(request)}\n${String(result.errorInstance)}`;
  return { seed: result.seed, answers, mismatch };
}

async function send(gateway: WalkedGateway, { method, target, headers, body }: FuzzRequest): Promise<Response> {
  return fetch(`${gateway.url}${target}`, {
    method,
    headers: { ...gateway.headers, ...headers },
    redirect: "manual",
    signal: AbortSignal.timeout(gateway.answerWithinMs ?? 20_000),
    ...(body === undefined ? {} : { body }),
  });
}

function describe({ operation, method, target, headers, body, expected }: FuzzRequest): string {
  const parts = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${target} (${operation.id}, ${expected})`, ...parts, ...(body === undefined ? [] : [body])].join(
    "\n",
  );
}
