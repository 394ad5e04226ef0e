import type { GraphQLError } from "graphql";
import type { Clock } from "../../kit/clock.ts";
import { DeadlineExceeded } from "../../kit/within.ts";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";
import { bodyMaxMs, boundedText } from "../http/bounded-body.ts";

/** The longest request body that is read. The document in it has a limit of its own, in tokens. */
export const bodyMaxBytes = 256 * 1024;

/** The text of a request's body, or the answer to a body that is not read. */
export type ReadBody = { readonly text: string } | { readonly refusal: Response };

/** Reads a request's body: at most `bodyMaxBytes`, for at most `bodyMaxMs`. */
export async function readBody(request: Request, clock: Clock): Promise<ReadBody> {
  try {
    const text = await boundedText(request, bodyMaxBytes, clock);
    return text === undefined ? tooLarge() : { text };
  } catch (error) {
    if (error instanceof DeadlineExceeded) return tooSlow();
    throw error;
  }
}

function tooLarge(): ReadBody {
  const message = `The request's body is longer than ${bodyMaxBytes} bytes`;
  return refused(413, graphqlError("BAD_REQUEST", message, { max: bodyMaxBytes }));
}

function tooSlow(): ReadBody {
  const message = `The request's body has not arrived within ${bodyMaxMs / 1000} s`;
  return refused(408, graphqlError("BAD_REQUEST", message, { maxMs: bodyMaxMs }));
}

/** What remains of the body would be taken for the next request of the connection. */
function refused(status: 408 | 413, error: GraphQLError): ReadBody {
  return { refusal: Response.json({ errors: [error] }, { status, headers: { connection: "close" } }) };
}
