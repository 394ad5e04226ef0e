import { createSocket } from "node:dgram";

export interface DnsServer {
  /** host:port. */
  readonly address: string;
  close(): Promise<void>;
}

/** The targets that a name's SRV records have, as `host:port`; undefined if the name does not exist. */
type Records = (name: string) => readonly string[] | undefined;

/** A name server that knows SRV records only. */
export function startDnsServer(records: Records): Promise<DnsServer> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => socket.send(answerTo(query, records), port, address));
  return new Promise((resolve) => {
    socket.bind(0, "127.0.0.1", () =>
      resolve({
        address: `127.0.0.1:${socket.address().port}`,
        close: () => new Promise((closed) => socket.close(() => closed())),
      }),
    );
  });
}

function answerTo(query: Buffer, records: Records): Buffer {
  let end = 12;
  const labels: string[] = [];
  while (query[end] !== 0) {
    const length = query[end] ?? 0;
    labels.push(query.toString("latin1", end + 1, end + 1 + length));
    end += length + 1;
  }
  const question = query.subarray(12, end + 5);
  const found = records(labels.join("."));
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // an answer, with recursion available; 3: the name does not exist
  header.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(found?.length ?? 0, 6);
  return Buffer.concat([header, question, ...(found ?? []).map(srvRecord)]);
}

function srvRecord(target: string): Buffer {
  const [host = "", port = "0"] = target.split(":");
  const name = Buffer.concat([
    ...host.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
  const fixed = Buffer.alloc(18);
  fixed.writeUInt16BE(0xc00c, 0); // the name of the question
  fixed.writeUInt16BE(33, 2); // SRV
  fixed.writeUInt16BE(1, 4); // IN
  fixed.writeUInt32BE(0, 6); // not to be cached
  fixed.writeUInt16BE(6 + name.length, 10);
  fixed.writeUInt16BE(Number(port), 16);
  return Buffer.concat([fixed, name]);
}
