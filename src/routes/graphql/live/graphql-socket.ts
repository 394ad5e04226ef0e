import { type DocumentNode, type ExecutionArgs, GraphQLError, type GraphQLSchema } from "graphql";
import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  makeServer,
  type OperationResult,
  type Server,
  type SubscribePayload,
} from "graphql-ws";
import type { Logger } from "pino";
import { ApiError } from "../../http/api-error.ts";
import { graphqlError } from "../../graphql-kit/graphql-errors.ts";

/** How an operation is answered, with all plugins. */
interface Operation {
  readonly schema: GraphQLSchema;
  parse(text: string): DocumentNode | Promise<DocumentNode>;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] | Promise<readonly GraphQLError[]>;
  contextFactory(): Promise<object>;
  readonly execute: (args: ExecutionArgs) => OperationResult;
  readonly subscribe: (args: ExecutionArgs) => OperationResult;
}

/** What is used of Yoga. */
export interface Yoga {
  getEnveloped(context: object): Operation;
}

/** What is used of Bun's server. */
interface SocketServer {
  upgrade(
    request: Request,
    options: { readonly data: GraphqlSocket; readonly headers: Record<string, string> },
  ): boolean;
}

type Wire = Pick<Bun.ServerWebSocket<GraphqlSocket>, "send" | "close" | "getBufferedAmount">;

/** Bytes in Bun's buffer beyond which nothing more is sent until it is empty. */
const behindBytes = 64 * 1024;
/** Operations that a connection may have at a time. */
const operationsMax = 100;
/** The service restarts, and the client does well to connect again. */
const restarting = 1012;

export interface GraphqlSocketsOptions {
  readonly yoga: () => Yoga;
  /** Connections that there may be. */
  readonly most: number;
  readonly stopping: AbortSignal;
  readonly log: Logger;
}

/** Clients that speak graphql-transport-ws at /graphql.
 *  Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export class GraphqlSockets {
  private readonly sockets = new Set<GraphqlSocket>();
  private readonly protocol: Server<{ readonly request: Request }>;

  constructor(private readonly options: GraphqlSocketsOptions) {
    const { yoga, stopping } = options;
    this.protocol = makeServer({
      execute: (args) => operationOf(args).execute(args),
      subscribe: (args) => operationOf(args).subscribe(args),
      onSubscribe: ({ extra, subscriptions }, _, params) =>
        Object.keys(subscriptions).length > operationsMax
          ? [graphqlError("TOO_MANY_SUBSCRIPTIONS", `A connection may have ${operationsMax} operations at a time`)]
          : prepared(yoga().getEnveloped({ request: extra.request, params }), params),
    });
    stopping.addEventListener("abort", () => {
      for (const socket of this.sockets) socket.end(restarting, "this gateway is stopping; connect again");
    });
  }

  get count(): number {
    return this.sockets.size;
  }

  /** Makes a WebSocket of a request that asks for one.
   *  @throws ApiError where there is no room for it */
  upgrade(request: Request, server: SocketServer | null): void {
    const { stopping, most, log } = this.options;
    if (stopping.aborted || this.sockets.size >= most) {
      const message = stopping.aborted
        ? "This gateway is stopping; connect again"
        : `There are ${most} connections to /graphql already, as many as WS_MAX_CONNECTIONS allows`;
      throw new ApiError(503, "no_room", { message, details: {} });
    }
    const socket = new GraphqlSocket(request, this.protocol, {
      onEnd: () => this.sockets.delete(socket),
      onFault: (error) => log.error({ err: error }, "a message to /graphql failed"),
    });
    this.sockets.add(socket);
    const headers = { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL };
    if (server?.upgrade(request, { data: socket, headers }) === true) return;
    this.sockets.delete(socket);
    throw new ApiError(400, "invalid_parameter", { message: "This is no WebSocket handshake", details: {} });
  }
}

/** @returns what is to be executed, or why it cannot be: the connection and its other operations stay */
async function prepared(
  { schema, execute, subscribe, ...operation }: Operation,
  { query, operationName, variables: variableValues }: SubscribePayload,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    const document = await operation.parse(query);
    const errors = await operation.validate(schema, document);
    if (errors.length > 0) return errors.map(withoutStatus);
    const contextValue = await operation.contextFactory();
    return { schema, document, operationName, variableValues, contextValue, rootValue: { execute, subscribe } };
  } catch (error) {
    if (error instanceof GraphQLError) return [withoutStatus(error)];
    throw error;
  }
}

/** What Yoga notes for the status of an answer by HTTP is no client's business. */
function withoutStatus({ message, nodes, source, positions, extensions }: GraphQLError): GraphQLError {
  const rest = Object.fromEntries(Object.entries(extensions).filter(([name]) => name !== "http"));
  const [at, from, places] = [nodes ?? null, source ?? null, positions ?? null];
  return new GraphQLError(message, { nodes: at, source: from, positions: places, extensions: rest });
}

/** What `onSubscribe` has found for the operation. */
function operationOf({ rootValue }: ExecutionArgs): Pick<Operation, "execute" | "subscribe"> {
  return rootValue as Pick<Operation, "execute" | "subscribe">;
}

/** One client's connection. Bun calls open, message, drain and close. */
export class GraphqlSocket {
  private wire: Wire | undefined;
  private onMessage: (text: string) => Promise<void> = () => Promise.resolve();
  private onClosed: (code: number, reason: string) => void = () => undefined;
  private readonly onDrained: (() => void)[] = [];

  constructor(
    private readonly request: Request,
    private readonly protocol: Server<{ readonly request: Request }>,
    private readonly owner: { readonly onEnd: () => void; readonly onFault: (error: Error) => void },
  ) {}

  /** Called by Bun. */
  open(wire: Wire): void {
    this.wire = wire;
    const socket = {
      protocol: this.request.headers.get("sec-websocket-protocol")?.split(",")[0]?.trim() ?? "",
      send: (text: string) => this.send(text),
      close: (code?: number, reason?: string) => wire.close(code, reason),
      onMessage: (take: GraphqlSocket["onMessage"]) => void (this.onMessage = take),
    };
    const onClosed = this.protocol.opened(socket, { request: this.request });
    this.onClosed = (code, reason) => void onClosed(code, reason);
  }

  /** Called by Bun. */
  message(_wire: Wire, sent: string | Uint8Array): void {
    const text = typeof sent === "string" ? sent : new TextDecoder().decode(sent);
    this.onMessage(text).catch((error: Error) => {
      // graphql-ws throws for a message that only servers send, and closes by itself where one cannot be read
      if (error.message.startsWith("Unexpected message")) return this.end(CloseCode.BadRequest, error.message);
      this.owner.onFault(error);
      this.end(CloseCode.InternalServerError, "the message failed inside the server");
    });
  }

  /** Called by Bun, when its buffer is empty again. */
  drain(): void {
    for (const resolve of this.onDrained.splice(0)) resolve();
  }

  /** Called by Bun. */
  close(_wire: Wire, code: number, reason: string): void {
    this.drain();
    this.owner.onEnd();
    this.onClosed(code, reason);
  }

  end(code: number, reason: string): void {
    this.wire?.close(code, reason);
  }

  /** Resolves when the client has taken what was sent before: nothing is made for one that does not read. */
  private async send(text: string): Promise<void> {
    const { wire } = this;
    if (wire === undefined) return;
    wire.send(text);
    if (wire.getBufferedAmount() < behindBytes) return;
    await new Promise<void>((resolve) => this.onDrained.push(resolve));
  }
}
