import { shortened } from "../../../domain/cut-text.ts";
import type { Printed } from "./smi-program.ts";

interface KnownFailure {
  /** The exit code of nvidia-smi; -1 for none of its own. */
  readonly exitCode: number;
  readonly text: RegExp;
  readonly explanation: string;
}

/** What nvidia-smi says when it cannot read GPUs, and what to do about it. The text decides, and after that the exit code.
 *  Source: the section RETURN VALUE of nvidia-smi's manual */
const knownFailures: readonly KnownFailure[] = [
  {
    exitCode: -1,
    text: /driver\/library version mismatch/i,
    explanation:
      "NVIDIA's driver was updated while its older version is still loaded: reboot, or reload the kernel module",
  },
  {
    exitCode: 9,
    text: /couldn't communicate with the nvidia driver/i,
    explanation:
      "NVIDIA's driver is not installed or not loaded: install it, or load it (modprobe nvidia), for the kernel that runs",
  },
  { exitCode: 6, text: /no devices were found/i, explanation: "the driver finds no GPU in this machine" },
  {
    exitCode: 12,
    text: /couldn't find libnvidia-ml|nvml shared library/i,
    explanation: "NVIDIA's library is missing: install the driver, or start the container with GPUs (--gpus all)",
  },
  {
    exitCode: 4,
    text: /insufficient permissions/i,
    explanation: "this user may not read the GPUs: give it access to /dev/nvidia*",
  },
  {
    exitCode: 15,
    text: /gpu is lost|fallen off the bus/i,
    explanation: "a GPU no longer answers on the bus: reset it or reboot",
  },
  { exitCode: 127, text: /command not found|: not found/i, explanation: "it is not installed, or not in PATH" },
  { exitCode: 126, text: /permission denied/i, explanation: "this user may not run it" },
];
const shownCharacters = 300;

/** Explains in one sentence why a command printed no document, with what it printed. */
export function explainExit(name: string, { exitCode, output, errors }: Printed): string {
  const printed = [errors, output].map((text) => text.trim()).filter((text) => text !== "");
  const text = shortened(printed.join(" ").replace(/\s+/g, " "), shownCharacters);
  const known =
    knownFailures.find((failure) => failure.text.test(text)) ??
    knownFailures.find((failure) => failure.exitCode === exitCode);
  const ending = exitCode === -1 ? "was ended by a signal" : `ended with code ${exitCode}`;
  const said = text === "" ? "and printed nothing" : `and printed: ${text}`;
  const isPart = output.includes("<nvidia_smi_log");
  const given = exitCode === 0 ? `gave ${isPart ? "only a part of its" : "no"} XML` : ending;
  return `${name} ${given} ${said}${known ? ` - ${known.explanation}` : ""}`;
}
