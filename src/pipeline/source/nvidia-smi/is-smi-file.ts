import { openForReading } from "../file/open-file.ts";

/** The longest white space that may precede the first document. */
const headBytes = 4096;

/** True if a file begins like XML of nvidia-smi.
 *  @throws UnusableSource if it cannot be opened */
export async function isSmiFile(path: string): Promise<boolean> {
  const file = await openForReading(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return /^\u{FEFF}?\s*(?:<\?xml|<!DOCTYPE nvidia_smi_log|<nvidia_smi_log)/u.test(
      buffer.toString("utf8", 0, bytesRead),
    );
  } finally {
    await file.close();
  }
}
