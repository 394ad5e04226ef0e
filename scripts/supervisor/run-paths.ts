import { dirname, join, resolve } from "node:path";

/** The files of a supervisor and its processes. */
export interface RunPaths {
  /** The folder of the pid files, the socket and the state: where SUPERVISOR_SOCKET is. */
  readonly folder: string;
  readonly socket: string;
  /** Locked by the running supervisor. */
  readonly lock: string;
  readonly state: string;
  /** Exists from scale-stop until processes are started again: the next setup-etcd then starts with empty data. */
  readonly stopped: string;
  readonly logs: string;
  readonly pidFile: (name: string) => string;
  readonly logFile: (name: string) => string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the supervisor in file names and in the process table. */
export const supervisorName = "supervisor";

/** @param env SUPERVISOR_SOCKET (data/run/supervisor.sock) and LOG_DIR (logs), relative to the working directory */
export function runPaths(env: Environment): RunPaths {
  const socket = resolve(env.SUPERVISOR_SOCKET || "data/run/supervisor.sock");
  const logs = resolve(env.LOG_DIR || "logs");
  const folder = dirname(socket);
  return {
    folder,
    socket,
    logs,
    lock: join(folder, "supervisor.lock"),
    state: join(folder, "supervisor.json"),
    stopped: join(folder, "stopped"),
    pidFile: (name) => join(folder, `${name}.pid`),
    logFile: (name) => join(logs, `${name}.log`),
  };
}
