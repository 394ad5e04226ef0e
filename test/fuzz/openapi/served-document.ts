/** A JSON Schema in the document. */
export type Schema = Readonly<Record<string, unknown>>;

/** A parameter in a path or a query. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

/** A declared response: a schema for each content type. */
export type DeclaredAnswer = Readonly<Record<string, Schema>>;

/** An operation of the document. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  /** e.g. `/api/v1/gpus/{uuid}` */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** The schema of the JSON body, and an example; undefined if the operation has no body. */
  readonly body: { readonly schema: Schema; readonly example?: unknown } | undefined;
  /** If true, a body of another type, such as protobuf, is required. The walker sends none, so each request is refused. */
  readonly isOtherBodyRequired: boolean;
  /** Responses by status. */
  readonly answers: ReadonlyMap<number, DeclaredAnswer>;
}

/** The parts of the document that the walker needs. */
export interface ServedDocument {
  readonly operations: readonly Operation[];
  readonly schemas: Readonly<Record<string, Schema>>;
}

type Media = Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>>;
interface RawResponse {
  readonly $ref?: string;
  readonly content?: Media;
}
interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Media };
  readonly responses: Readonly<Record<string, RawResponse>>;
}
interface RawDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly responses: Readonly<Record<string, RawResponse>>;
  };
}

/** A gateway that is sent requests. */
export interface WalkedGateway {
  readonly url: string;
  /** Sent with each request, such as a key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer that takes longer is wrong, milliseconds; by default, 20 s. */
  readonly answerWithinMs?: number;
}

/** Reads the document that a gateway serves. */
export async function readServedDocument({ url, headers = {} }: WalkedGateway): Promise<ServedDocument> {
  const document = (await (await fetch(`${url}/swagger/swagger.json`, { headers })).json()) as RawDocument;
  const { schemas, responses } = document.components;
  const contentOf = ({ $ref, content }: RawResponse): Media | undefined =>
    $ref === undefined ? content : responses[$ref.replace("#/components/responses/", "")]?.content;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, raw]) => ({
      id: raw.operationId,
      method: method.toUpperCase(),
      path,
      parameters: raw.parameters ?? [],
      body: raw.requestBody?.content["application/json"],
      isOtherBodyRequired: raw.requestBody?.required === true && !("application/json" in raw.requestBody.content),
      answers: new Map(
        Object.entries(raw.responses).map(([status, answer]) => [Number(status), schemasOf(contentOf(answer) ?? {})]),
      ),
    })),
  );
  return { operations, schemas };
}

function schemasOf(media: Media): DeclaredAnswer {
  return Object.fromEntries(Object.entries(media).map(([type, { schema }]) => [type, schema]));
}
