import type {
  IEvent,
  IKeyValue,
  IRangeRequest,
  IRangeResponse,
  IRequestOp,
  IResponseOp,
  IWatchRequest,
  IWatchResponse,
} from "etcd3";
import type { ProvidedEtcd } from "../../dev/servers/provide-etcd.ts";
import { EtcdClient, type EtcdStream, type Txn, type TxnResult } from "../../src/etcd/etcd-client.ts";
import { removePrefix } from "../../src/etcd/requests.ts";

/** A client that adds its own prefix to every key, and removes it from every response, as the namespace of etcd's grpc-proxy
 *  does. Tests that delete everything under `/telemetry/` can then share an etcd. */
export class NamespacedEtcdClient extends EtcdClient {
  readonly #prefix: Buffer;

  constructor(etcd: ProvidedEtcd, namespace: string) {
    super({ endpoints: etcd.endpoints });
    this.#prefix = Buffer.from(namespace);
  }

  override async txn({ compare = [], success, failure = [] }: Txn): Promise<TxnResult> {
    const { responses, ...rest } = await super.txn({
      compare: compare.map((each) => this.#within(each)),
      success: success.map((each) => this.#operation(each)),
      failure: failure.map((each) => this.#operation(each)),
    });
    return { ...rest, responses: responses.map((each) => this.#response(each)) };
  }

  override async range(request: IRangeRequest): Promise<IRangeResponse> {
    return this.#read(await super.range(this.#within(request)));
  }

  override async openWatch(key: Buffer): ReturnType<EtcdClient["openWatch"]> {
    const stream = await super.openWatch(key);
    return {
      failed: stream.failed,
      cancel: () => stream.cancel(),
      write: ({ create_request: created, ...rest }: IWatchRequest) =>
        stream.write(created === undefined ? rest : { ...rest, create_request: this.#within(created) }),
      on: this.#listening(stream),
    };
  }

  /** Deletes every key of the namespace. */
  async removeAll(): Promise<void> {
    await super.txn({ success: [removePrefix(this.#prefix.toString())] });
  }

  #listening(stream: EtcdStream<IWatchRequest, IWatchResponse>): EtcdStream<IWatchRequest, IWatchResponse>["on"] {
    return (event: string, listener: (given: never) => void) => {
      const on = stream.on.bind(stream) as (event: string, listener: (given: never) => void) => unknown;
      const onData = (message: IWatchResponse): void =>
        listener({ ...message, events: message.events.map((each) => this.#event(each)) } as never);
      return on(event, event === "data" ? onData : listener);
    };
  }

  #operation({ request_range, request_put, request_delete_range, request_txn }: IRequestOp): IRequestOp {
    if (request_range !== undefined) return { request_range: this.#within(request_range) };
    if (request_put !== undefined) return { request_put: this.#within(request_put) };
    if (request_delete_range !== undefined) return { request_delete_range: this.#within(request_delete_range) };
    const { compare = [], success = [], failure = [] } = request_txn ?? {};
    return {
      request_txn: {
        compare: compare.map((each) => this.#within(each)),
        success: success.map((each) => this.#operation(each)),
        failure: failure.map((each) => this.#operation(each)),
      },
    };
  }

  #response(given: IResponseOp): IResponseOp {
    const { response_range, response_delete_range, response_txn } = given;
    return {
      ...given,
      ...(response_range && { response_range: this.#read(response_range) }),
      ...(response_delete_range && {
        response_delete_range: {
          ...response_delete_range,
          prev_kvs: response_delete_range.prev_kvs.map((each) => this.#outside(each)),
        },
      }),
      ...(response_txn && {
        response_txn: { ...response_txn, responses: response_txn.responses.map((each) => this.#response(each)) },
      }),
    };
  }

  #read(response: IRangeResponse): IRangeResponse {
    return { ...response, kvs: response.kvs.map((each) => this.#outside(each)) };
  }

  #event(event: IEvent): IEvent {
    const { kv, prev_kv } = event;
    return { ...event, kv: this.#outside(kv), ...(prev_kv && { prev_kv: this.#outside(prev_kv) }) };
  }

  #within<T extends { key?: Buffer; range_end?: Buffer }>(request: T): T {
    const { key = Buffer.of(), range_end } = request;
    const end = range_end && { range_end: Buffer.concat([this.#prefix, range_end]) };
    return { ...request, key: Buffer.concat([this.#prefix, key]), ...end };
  }

  #outside(pair: IKeyValue): IKeyValue {
    return { ...pair, key: pair.key.subarray(this.#prefix.length) };
  }
}
