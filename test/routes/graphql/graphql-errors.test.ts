import { expect, test } from "bun:test";
import { toGraphqlError } from "../../../src/routes/graphql-kit/graphql-errors.ts";
import { ApiError, type ErrorCode } from "../../../src/routes/http/api-error.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

const log = unshownLog();
const graphqlErrorOf = (status: 400 | 500 | 503, code: ErrorCode) =>
  toGraphqlError(new ApiError(status, code, { message: "the reason", details: { part: "x" } }), log);

test("an error that REST answers with 503 has the code SERVICE_UNAVAILABLE, its message and its details", () => {
  for (const code of ["store_unavailable", "queue_unavailable", "no_room"] as const) {
    const { message, extensions } = graphqlErrorOf(503, code);
    expect({ message, extensions }).toEqual({
      message: "the reason",
      extensions: { code: "SERVICE_UNAVAILABLE", details: { part: "x" } },
    });
  }
});

test("an error that REST answers with 500 does not show its message", () => {
  const { message, extensions } = graphqlErrorOf(500, "internal_error");
  expect(extensions).toEqual({ code: "INTERNAL_SERVER_ERROR" });
  expect(message).not.toContain("the reason");
});
