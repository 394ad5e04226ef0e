import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { firstOfPrefix, get, isAbsent, put } from "../../../etcd/requests.ts";
import type { FileIds } from "../../source/file-ids.ts";
import { FileKeys } from "./checkpoint-keys.ts";

/** Chooses the ids of files that streamers share. A file keeps the id that an earlier version gave it, if that version has started to read it
 *  in this pipeline, so that it is not read again. The id then stays with this content: another content with the same first 64 KiB and the
 *  same size gets the id of its own. */
export class EtcdFileIds {
  constructor(
    private readonly client: EtcdClient,
    private readonly topic: string,
  ) {}

  /** @throws EtcdUnavailable, EtcdOutOfSpace, EtcdRefused */
  async choose({ id, earlierId, digest }: FileIds): Promise<string> {
    if (digest === undefined) return id;
    const [own, earlier] = [new FileKeys(this.topic, id), new FileKeys(this.topic, earlierId)];
    const { responses } = await this.client.txn({
      success: [firstOfPrefix(own.all), firstOfPrefix(earlier.all), get(earlier.content)],
    });
    const [begun, begunEarlier, contents] = responses.map(({ response_range }) => response_range.kvs[0]);
    if (begun !== undefined || begunEarlier === undefined) return id;
    const known = contents?.value.toString() ?? (await this.keep(earlier.content, digest));
    return known === digest ? earlierId : id;
  }

  /** Notes whose id it is, unless another streamer has done so. @returns what is noted */
  private async keep(key: string, digest: string): Promise<string | undefined> {
    const { responses } = await this.client.txn({
      compare: [isAbsent(key)],
      success: [put(key, digest), get(key)],
      failure: [get(key)],
    });
    return responses.at(-1)?.response_range.kvs[0]?.value.toString();
  }
}
