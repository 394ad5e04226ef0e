import type { FieldError } from "../../../domain/field-rules.ts";
import { noWorkload, type Workload } from "../../../domain/gpu.ts";
import { meansNoValue } from "../../../domain/value.ts";
import { type ParsedLabels, workloadFields } from "../labels/labels.ts";
import { isExporter, workloadOfLabels } from "../labels/workload-of-labels.ts";
import type { Layout } from "./layout.ts";

/** Reads the workload of a row. In this order:
 *
 *  1. labels such as exported_pod, even if they are empty: Prometheus has put the exporter's own pod in pod;
 *  2. the columns container, pod and namespace, if one of them has a value;
 *  3. the labels of these names.
 *
 *  The pod of an exporter holds no GPU, and counts as no workload. */
export class RowWorkloadReader {
  /** The cells of the last row with a workload, and this workload: the next row often has the same. */
  private lastCells = noWorkload;
  private lastWorkload = noWorkload;

  constructor(private readonly layout: Layout) {}

  /** @returns the row's workload, or the error of a label that is too long or has control characters */
  read(
    fields: readonly string[],
    { workload, isExported }: Pick<ParsedLabels, "workload" | "isExported">,
  ): Workload | FieldError {
    const inColumns = isExported ? noWorkload : this.inColumns(fields);
    return inColumns === noWorkload ? workloadOfLabels({ workload, isExported }) : inColumns;
  }

  private inColumns(fields: readonly string[]): Workload {
    const { layout, lastCells } = this;
    const container = fields[layout.container] ?? "";
    const pod = fields[layout.pod] ?? "";
    const namespace = fields[layout.namespace] ?? "";
    const isSame = container === lastCells.container && pod === lastCells.pod && namespace === lastCells.namespace;
    if (isSame) return this.lastWorkload;
    this.lastCells = { container, pod, namespace };
    this.lastWorkload = namedWorkload(this.lastCells);
    return this.lastWorkload;
  }
}

/** The workload that texts name; `noWorkload` if they mean no value, or if the pod is that of an exporter. */
export function namedWorkload({ container, pod, namespace }: Workload): Workload {
  const workload = { container: valueOf(container), pod: valueOf(pod), namespace: valueOf(namespace) };
  const isEmpty = workloadFields.every((field) => workload[field] === "");
  return isEmpty || isExporter(workload) ? noWorkload : workload;
}

function valueOf(text: string): string {
  return meansNoValue(text) ? "" : text.trim();
}
