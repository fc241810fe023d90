import { startServer } from '../../dev/servers/index.ts';
import { openClient } from './mysql-run.ts';
await using source = await startServer('mariadb', { fast: true, own: true, args: ['--sync-binlog=1'] });
const client = await openClient(source.url);
await client.query('CREATE DATABASE race'); await client.query('CREATE TABLE race.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)');
if (process.argv[2] === 'stall') {
 for (const q of ['SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC','SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON','SET GLOBAL rpl_semi_sync_master_timeout = 60000','SET GLOBAL rpl_semi_sync_master_enabled = ON']) await client.query(q);
 const w = await openClient(source.url); const c = w.query("INSERT INTO race.t VALUES (NULL,1)"); await client.query('SELECT SLEEP(0.3)'); await client.query('SET GLOBAL rpl_semi_sync_master_enabled = OFF'); await c; w.destroy();
}
const [[st]] = await client.query('SHOW MASTER STATUS') as any; const [[c0]] = await client.query('SELECT COUNT(*) c FROM race.t') as any; const base = Number(c0.c);
let stop = false; const seen: [number, number][] = [];
const write = async () => { const w = await openClient(source.url); while (!stop) await w.query('INSERT INTO race.t VALUES (NULL, 1)'); w.destroy(); };
const check = async () => { const w = await openClient(source.url); await w.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ'); while (!stop) { await w.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY'); const [r] = await w.query("SHOW STATUS LIKE 'Binlog_snapshot_%'") as any; const pos = Number(r.find((x: any) => x.Variable_name === 'Binlog_snapshot_position').Value); const [[c]] = await w.query('SELECT COUNT(*) c FROM race.t') as any; seen.push([pos, Number(c.c)]); await w.query('COMMIT'); } w.destroy(); };
const all = Promise.all([...Array.from({ length: 8 }, write), ...Array.from({ length: 3 }, check)]);
await new Promise((r) => setTimeout(r, 6000)); stop = true; await all;
const [ev] = await client.query(`SHOW BINLOG EVENTS FROM ${st.Position} LIMIT 1000000`) as any;
const ends = ev.filter((e: any) => e.Event_type === 'Xid').map((e: any) => Number(e.End_log_pos));
let bad = 0; for (const [pos, count] of seen) { const n = ends.filter((e: number) => e <= pos).length + base; if (n !== count) { bad++; if (bad < 4) console.log('pos', pos, 'log says', n, 'snapshot shows', count); } }
console.log('checks', seen.length, 'bad', bad, 'trx', ends.length); client.destroy();
