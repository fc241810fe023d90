/** Event types of MySQL (below 128) and MariaDB (160 and up). Source: libs/mysql/binlog/event/binlog_event.h; MariaDB sql/log_event.h */
export const event = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  appendBlock: 9,
  deleteFile: 11,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  beginLoadQuery: 17,
  executeLoadQuery: 18,
  tableMap: 19,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRows: 30,
  updateRows: 31,
  deleteRows: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  gtidTagged: 42,
  annotateRows: 160,
  binlogCheckpoint: 161,
  mariadbGtid: 162,
  mariadbGtidList: 163,
  startEncryption: 164,
  queryCompressed: 165,
  writeRowsCompressedV1: 166,
  updateRowsCompressedV1: 167,
  deleteRowsCompressedV1: 168,
  writeRowsCompressed: 169,
  updateRowsCompressed: 170,
  deleteRowsCompressed: 171,
} as const;

/** Flags of an event's header. */
export const flag = {
  /** The server made the event up for us: it stands nowhere in the log. */
  artificial: 0x20,
  /** Safe to skip for who does not know the type. */
  ignorable: 0x80,
} as const;

/** Events that carry nothing we need: hints for replicas and for people. */
const skipped = new Set<number>([
  event.intvar,
  event.rand,
  event.userVar,
  event.stop,
  event.ignorable,
  event.rowsQuery,
  event.previousGtids,
  event.transactionContext,
  event.viewChange,
  event.annotateRows,
  event.binlogCheckpoint,
  event.mariadbGtidList,
  event.startEncryption,
]);

export function isSkipped(type: number): boolean {
  return skipped.has(type);
}

/** The uncompressed kind of a compressed rows event, and its version. */
export function uncompressedRows(type: number): { readonly type: number; readonly version: 1 | 2 } {
  return type >= event.writeRowsCompressed
    ? { type: type - event.writeRowsCompressed + event.writeRows, version: 2 }
    : { type: type - event.writeRowsCompressedV1 + event.writeRows, version: 1 };
}

/** What makes up a prepared transaction, but its end. */
export function isKeptOfPrepared(type: number): boolean {
  return (
    type === event.tableMap ||
    type === event.query ||
    type === event.queryCompressed ||
    type === event.partialUpdateRows ||
    (type >= event.writeRowsV1 && type <= event.deleteRowsV1) ||
    (type >= event.writeRows && type <= event.deleteRows) ||
    (type >= event.writeRowsCompressedV1 && type <= event.deleteRowsCompressed)
  );
}
