/** Event types of MySQL (below 128) and MariaDB (160 and up). Source: libbinlogevents/binlog_event.h; MariaDB sql/log_event.h */
export const event = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
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
} as const;

/** Events that carry nothing we need: hints for replicas and for people. */
const skipped = new Set<number>([
  event.intvar,
  event.rand,
  event.userVar,
  event.stop,
  event.heartbeat,
  event.heartbeatV2,
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

/** What a person calls an event we cannot read yet, and what makes the server not write it. */
export function describeUnsupported(type: number): { name: string; fix: string } {
  switch (type) {
    case event.xaPrepare:
      return {
        name: 'XA_PREPARE (an XA transaction)',
        fix: 'do not use XA transactions on the captured tables, or leave those tables out',
      };
    case event.partialUpdateRows:
      return { name: 'PARTIAL_UPDATE_ROWS', fix: "SET GLOBAL binlog_row_value_options = ''" };
    case event.transactionPayload:
      return {
        name: 'TRANSACTION_PAYLOAD (a compressed transaction)',
        fix: 'SET GLOBAL binlog_transaction_compression = OFF',
      };
    case event.gtidTagged:
      return { name: 'GTID_TAGGED', fix: 'do not use tagged GTIDs on the source' };
    case event.queryCompressed:
      return { name: 'QUERY_COMPRESSED', fix: 'SET GLOBAL log_bin_compress = OFF' };
    case 166:
    case 167:
    case 168:
    case 169:
    case 170:
    case 171:
      return { name: 'a compressed rows event', fix: 'SET GLOBAL log_bin_compress = OFF' };
    default:
      return {
        name: `an event of type ${type}`,
        fix: 'this event type is not known; please report it with the server’s version',
      };
  }
}
