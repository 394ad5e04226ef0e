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
import { requesterOf } from "../../http/access/requester.ts";
import { askedBy, Asker, presentAsker } from "../../http/access/asker.ts";
import { ApiError } from "../../http/api-error.ts";
import { isWorthDeflating } from "../../../kit/message-deflate.ts";
import type { RateLimit } from "../../http/rate-limit.ts";
import { graphqlError } from "../../graphql-kit/graphql-errors.ts";
import { requireProtocol } from "./subprotocol.ts";

/** Yoga's functions for one operation, which apply all plugins. */
interface Operation {
  readonly schema: GraphQLSchema;
  parse(text: string): DocumentNode | Promise<DocumentNode>;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] | Promise<readonly GraphQLError[]>;
  contextFactory(): Promise<object>;
  readonly execute: (args: ExecutionArgs) => OperationResult;
  readonly subscribe: (args: ExecutionArgs) => OperationResult;
}

/** The part of Yoga that this module uses. */
export interface Yoga {
  getEnveloped(context: object): Operation;
}

/** The part of Bun's server that this module uses. */
interface SocketServer {
  upgrade(
    request: Request,
    options: { readonly data: GraphqlSocket; readonly headers: Record<string, string> },
  ): boolean;
  requestIP(request: Request): { readonly address: string } | null;
}

/** What is known of the client of a connection. */
interface Client {
  readonly request: Request;
  readonly asker: Asker;
  /** Closes the connection. */
  readonly end: (code: number, reason: string) => void;
  refusedInARow: number;
  /** Those who wait for the operations under way, by the operations' ids. */
  readonly askers: Map<string, Asker>;
}

type Wire = Pick<Bun.ServerWebSocket<GraphqlSocket>, "send" | "close" | "getBufferedAmount">;

/** If this many bytes are in Bun's buffer after an operation has sent a message, the operation sends no more until the
 *  buffer is empty. */
const behindBytes = 64 * 1024;
/** Operations that a connection may run at a time. */
const maxOperations = 100;
/** Close code for a service that restarts: the client should connect again.
 *  Source: https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number */
const serviceRestart = 1012;
const tryAgainLater = 1013;
/** To refuse an operation takes time, too: a client that does not heed it is disconnected. */
const maxRefusedInARow = 100;

export interface GraphqlSocketsOptions {
  /** Returns the Yoga that runs an operation; called when the operation begins. */
  readonly yoga: () => Yoga;
  readonly maxConnections: number;
  /** Aborted when the process is about to stop. */
  readonly stopping: AbortSignal;
  /** Counts operations like requests; undefined: no limit. */
  readonly limit: RateLimit | undefined;
  readonly log: Logger;
}

/** The connections of clients that speak graphql-transport-ws at /graphql.
 *  Source: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md */
export class GraphqlSockets {
  private readonly sockets = new Set<GraphqlSocket>();
  private readonly protocol: Server<Client>;

  constructor(private readonly options: GraphqlSocketsOptions) {
    const { stopping } = options;
    this.protocol = makeServer({
      execute: (args) => begin(args, "execute"),
      subscribe: (args) => begin(args, "subscribe"),
      onSubscribe: async ({ extra, subscriptions }, id, { operationName, ...others }) => {
        // clients that have only one operation send an empty name
        const params = { ...others, ...(operationName && { operationName }) };
        const refusal = await this.refusalOf(extra, Object.keys(subscriptions).length);
        if (refusal !== undefined) return refusal;
        return prepare(options.yoga().getEnveloped({ request: extra.request, params }), params, (asker) =>
          extra.askers.set(id, asker),
        );
      },
      onComplete: ({ extra }, id) => void extra.askers.delete(id),
    });
    stopping.addEventListener("abort", () => {
      for (const socket of this.sockets) socket.end(serviceRestart, "this gateway is stopping; connect again");
    });
  }

  get count(): number {
    return this.sockets.size;
  }

  /** Upgrades a request to a WebSocket.
   *  @throws ApiError if the request is not a handshake, or does not offer the subprotocol, or the gateway accepts no more connections */
  upgrade(request: Request, server: SocketServer | null): void {
    requireProtocol(request.headers);
    const { stopping, maxConnections, log } = this.options;
    if (stopping.aborted || this.sockets.size >= maxConnections) {
      const message = stopping.aborted
        ? "This gateway is stopping; connect again"
        : `There are ${maxConnections} connections to /graphql already, as many as WS_MAX_CONNECTIONS allows`;
      throw new ApiError(503, "no_room", { message, details: {} });
    }
    const { caller } = requesterOf(request);
    const asker = presentAsker()?.another() ?? new Asker(() => requesterOf(request));
    const release = asker.hold("sockets");
    const end = (code: number, reason: string): void => socket.end(code, reason);
    const client = { request, asker, askers: new Map<string, Asker>(), end, refusedInARow: 0 };
    const socket: GraphqlSocket = new GraphqlSocket(client, this.protocol, {
      onOpened: () => caller.onEnd(() => socket.end(CloseCode.Forbidden, caller.endText)),
      onEnd: () => {
        this.sockets.delete(socket);
        release();
      },
      onError: (error) => log.error({ err: error }, "a message to /graphql failed"),
    });
    this.sockets.add(socket);
    const headers = { "sec-websocket-protocol": GRAPHQL_TRANSPORT_WS_PROTOCOL };
    if (server?.upgrade(request, { data: socket, headers }) === true) return;
    this.sockets.delete(socket);
    release();
    throw new ApiError(400, "invalid_parameter", { message: "This request is not a WebSocket handshake", details: {} });
  }

  /** @returns why an operation is not begun; undefined if it may begin
   *  @param running operations of the connection, this one included */
  private async refusalOf(client: Client, running: number): Promise<GraphQLError[] | undefined> {
    if (running > maxOperations) {
      return [graphqlError("TOO_MANY_SUBSCRIPTIONS", `A connection may run ${maxOperations} operations at a time`)];
    }
    const { asker } = client;
    asker.countRequest();
    const refused = await this.options.limit?.count(asker.requester);
    client.refusedInARow = refused === undefined ? 0 : client.refusedInARow + 1;
    if (client.refusedInARow > maxRefusedInARow)
      client.end(tryAgainLater, "the client sends operations although they are refused");
    return refused && [graphqlError("TOO_MANY_REQUESTS", refused.text.message, refused.text.details)];
  }
}

/** Parses and validates an operation. The connection stays open, unless an error is thrown.
 *  @returns the arguments with which graphql-ws executes the operation, or the errors that graphql-ws sends to the client
 *  @param onBegin called with who waits for the operation, when it begins
 *  @throws any error that is not a GraphQLError */
async function prepare(
  { schema, execute, subscribe, ...operation }: Operation,
  { query, operationName, variables: variableValues }: SubscribePayload,
  onBegin: (asker: Asker) => void,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    const document = await operation.parse(query);
    const errors = await operation.validate(schema, document);
    if (errors.length > 0) return errors.map(withoutStatus);
    const contextValue = await operation.contextFactory();
    return {
      schema,
      document,
      operationName,
      variableValues,
      contextValue,
      rootValue: { execute, subscribe, onBegin },
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [withoutStatus(error)];
    throw error;
  }
}

/** Drops the HTTP status that Yoga adds for answers over HTTP. */
function withoutStatus({ message, nodes, source, positions, extensions }: GraphQLError): GraphQLError {
  const rest = Object.fromEntries(Object.entries(extensions).filter(([name]) => name !== "http"));
  return new GraphQLError(message, {
    ...{ nodes: nodes ?? null, source: source ?? null, positions: positions ?? null },
    extensions: rest,
  });
}

/** The functions that `prepare` stores in the operation's rootValue. */
interface Prepared extends Pick<Operation, "execute" | "subscribe"> {
  readonly onBegin: (asker: Asker) => void;
}

function begin(args: ExecutionArgs, how: "execute" | "subscribe"): OperationResult {
  const prepared = args.rootValue as Prepared;
  const asker = presentAsker();
  if (asker !== undefined) prepared.onBegin(asker);
  return prepared[how](args);
}

/** The id of the operation that a message ends; empty for any other message. graphql-ws tells only of an operation's own end. */
function completedBy(text: string): string {
  if (!text.includes('"complete"')) return "";
  try {
    const message = JSON.parse(text) as { readonly type?: unknown; readonly id?: unknown } | null;
    return message?.type === "complete" && typeof message.id === "string" ? message.id : "";
  } catch {
    return "";
  }
}

/** The parts of an open connection: Bun's socket, and graphql-ws's handlers. */
interface Connection {
  readonly wire: Wire;
  readonly onMessage: (text: string) => Promise<void>;
  readonly onClosed: (code: number, reason: string) => void;
}

interface SocketOwner {
  /** @returns a function that is called when the socket has closed */
  readonly onOpened: () => () => void;
  readonly onEnd: () => void;
  readonly onError: (error: Error) => void;
}

/** One client's connection. Bun calls open, message, drain and close. */
export class GraphqlSocket {
  /** Undefined until Bun has opened the socket. */
  private connection: Connection | undefined;
  private readonly onDrained: (() => void)[] = [];
  private leave: () => void = () => undefined;

  constructor(
    private readonly client: Client,
    private readonly protocol: Server<Client>,
    private readonly owner: SocketOwner,
  ) {}

  open(wire: Wire): void {
    let onMessage: Connection["onMessage"] = () => Promise.resolve();
    const onClosed = this.protocol.opened(
      {
        protocol: GRAPHQL_TRANSPORT_WS_PROTOCOL,
        send: (text) => this.send(wire, text),
        close: (code, reason) => wire.close(code, reason),
        onMessage: (handler) => void (onMessage = handler),
      },
      this.client,
    );
    this.connection = { wire, onMessage, onClosed: (code, reason) => void onClosed(code, reason) };
    this.leave = this.owner.onOpened();
  }

  message(_wire: Wire, data: string | Uint8Array): void {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    const { asker, askers } = this.client;
    askers.get(completedBy(text))?.leave();
    const handled = askedBy(asker.another(), () => this.connection?.onMessage(text));
    handled?.catch((error: Error) => {
      // graphql-ws throws this if a client sends a message that only servers send; for a message that graphql-ws cannot
      // read, graphql-ws itself closes the connection
      if (error.message.startsWith("Unexpected message")) return this.end(CloseCode.BadRequest, error.message);
      this.owner.onError(error);
      this.end(CloseCode.InternalServerError, "the message failed inside the server");
    });
  }

  /** Called by Bun when its buffer is empty again. */
  drain(): void {
    for (const resolve of this.onDrained.splice(0)) resolve();
  }

  close(_wire: Wire, code: number, reason: string): void {
    this.drain();
    this.owner.onEnd();
    this.leave();
    for (const asker of this.client.askers.values()) asker.leave();
    this.connection?.onClosed(code, reason);
  }

  /** Closes the connection from this side. */
  end(code: number, reason: string): void {
    this.connection?.wire.close(code, reason);
  }

  /** Resolves when the client is no longer behind, or has disconnected. Only then does graphql-ws request the operation's
   *  next event. */
  private async send(wire: Wire, text: string): Promise<void> {
    wire.send(text, isWorthDeflating(text));
    if (wire.getBufferedAmount() < behindBytes) return;
    await new Promise<void>((resolve) => this.onDrained.push(resolve));
  }
}
