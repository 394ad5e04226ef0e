/** The error responses by status; operations refer to them. */
export const errorResponses = {
  400: errorResponse("A parameter is unknown, or its value is not usable", {
    code: "invalid_parameter",
    message: 'limit="0" is not usable; expected a whole number from 1 to 10000',
    details: { parameter: "limit", value: "0", expected: "a whole number from 1 to 10000" },
  }),
  401: errorResponse("The request has no valid key", {
    code: "unauthenticated",
    message: "This needs a key; send it as Authorization: Bearer KEY, or as the password of Basic authentication",
    details: {},
  }),
  403: errorResponse(
    "The key lacks the scope that the operation needs, or a page of another origin asks (`cross_origin`) that CORS_ORIGINS does not list",
    {
      code: "forbidden",
      message:
        'The key "grafana" has the scope read; this needs operate (change the pipeline: redrive and delete dead letters and rejected inputs, change the inventory, acknowledge and silence faults)',
      details: { needed: "operate", scopes: ["read"] },
    },
  ),
  404: errorResponse("The object that the path names does not exist", {
    code: "not_found",
    message: 'There is no GPU with uuid "GPU-0"',
    details: { resource: "GPU", uuid: "GPU-0" },
  }),
  406: errorResponse("No available media type matches the Accept header", {
    code: "not_acceptable",
    message: 'accept="image/png" matches no supported media type: application/json, text/csv, application/x-ndjson',
    details: { accept: "image/png", available: ["application/json", "text/csv", "application/x-ndjson"] },
  }),
  413: errorResponse("The body is too large; none is needed", {
    code: "too_large",
    message: "A body of 3000000 bytes is too large: this path needs no body, and accepts up to 65536 bytes",
    details: { bytes: 3_000_000, max_bytes: 65_536 },
  }),
  415: errorResponse("The body is not JSON; none is needed", {
    code: "unsupported_media_type",
    message: 'A body of type "text/xml" is not supported: this path needs no body, and accepts application/json',
    details: { content_type: "text/xml", supported: ["application/json"] },
  }),
  421: errorResponse("The Host header is not a name of this service", {
    code: "host_not_allowed",
    message:
      'There is no service under the name "other.example" here; if it is a name of this service, add it to ALLOWED_HOSTS',
    details: { host: "other.example", setting: "ALLOWED_HOSTS" },
  }),
  429: errorResponse("The client sends too many requests; Retry-After says when to retry", {
    code: "too_many_requests",
    message: "10.0.0.7 sends more than 100 requests a second; try again in 1 s",
    details: { client: "10.0.0.7", per_second: 100, retry_after_seconds: 1 },
  }),
  500: errorResponse("The request failed inside the server", {
    code: "internal_error",
    message: "The request failed inside the server; its log says why",
    details: {},
  }),
  503: errorResponse("The store or the queue does not answer; Retry-After says when to retry", {
    code: "store_unavailable",
    message: "The store does not answer; try again",
    details: { reason: "the embedded store is closed" },
  }),
} as const;

export type ErrorStatus = keyof typeof errorResponses;

function errorResponse(description: string, error: Record<string, unknown>) {
  return {
    description,
    content: {
      "application/json": { schema: { $ref: "#/components/schemas/Error" }, example: { success: false, error } },
    },
  };
}
