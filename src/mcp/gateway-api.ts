import type { paths } from "../../clients/typescript/src/generated/schema.ts";

/** The paths that can be read. */
export type ReadPath = {
  [Path in keyof paths]: paths[Path] extends {
    get: { responses: { 200: { content: { "application/json": unknown } } } };
  }
    ? Path
    : never;
}[keyof paths];

/** The JSON of a successful answer. */
export type AnswerOf<Path extends ReadPath> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": infer Answer } } } };
}
  ? Answer
  : never;

/** The values of a request's query; those that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** Requests a path with its query, as the caller of the tool.
 *  @throws ApiRefusal with a sentence if there is no answer */
export type Send = (pathAndQuery: string) => Promise<Response>;

/** A request was refused. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
}

/** Reads the gateway's API: nothing else can be asked of it here. */
export class GatewayApi {
  constructor(private readonly send: Send) {}

  /** @param names the values of the path's parameters
   *  @throws ApiRefusal with the API's sentence */
  async get<Path extends ReadPath>(
    path: Path,
    query: Query = {},
    names: Readonly<Record<string, string>> = {},
  ): Promise<AnswerOf<Path>> {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(names[name] ?? ""));
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
    const response = await this.send(parameters.size === 0 ? filled : `${filled}?${parameters.toString()}`);
    const text = await response.text();
    // /health says with 503 what is down
    if (response.ok || (path === "/health" && response.status === 503)) return JSON.parse(text) as AnswerOf<Path>;
    throw new ApiRefusal(sentenceOf(response, text));
  }
}

function sentenceOf({ status, headers }: Response, text: string): string {
  const wait = headers.get("retry-after");
  const advice = wait === null ? "" : ` Ask again in ${wait} s.`;
  try {
    const { error } = JSON.parse(text) as { readonly error: { readonly message: string } };
    return `${error.message}.${advice}`;
  } catch {
    return `The gateway answered with status ${status}.${advice}`;
  }
}
