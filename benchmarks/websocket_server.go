// A fast WebSocket server (RFC 6455) for benchmarks/websocket.py: it answers JSON-RPC as the gateway does, and
// GET /books with what it has counted. Nothing but Go's own library.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
)

const tools = `{"tools":[{"name":"row-1","description":"one"},{"name":"row-2","description":"two"}]}`

var connections, open, mostOpen, asked, answered, closes atomic.Int64

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { // It ends with whoever started it.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	http.HandleFunc("/ws", upgrade)
	http.HandleFunc("/books", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"connections":%d,"most_open":%d,"asked":%d,"answered":%d,"closes":%d}`,
			connections.Load(), mostOpen.Load(), asked.Load(), answered.Load(), closes.Load())
	})
	panic(http.Serve(listener, nil))
}

func upgrade(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, stream, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	connections.Add(1)
	for now := open.Add(1); ; {
		if most := mostOpen.Load(); now <= most || mostOpen.CompareAndSwap(most, now) {
			break
		}
	}
	defer open.Add(-1)
	serve(conn, stream.Reader)
}

func serve(conn net.Conn, reader *bufio.Reader) {
	var head [14]byte
	var payload, out []byte
	for {
		if _, err := io.ReadFull(reader, head[:2]); err != nil {
			return
		}
		kind, size := head[0]&0x0f, int(head[1]&0x7f)
		if size == 126 {
			if _, err := io.ReadFull(reader, head[2:4]); err != nil {
				return
			}
			size = int(binary.BigEndian.Uint16(head[2:4]))
		} else if size == 127 {
			return
		}
		if _, err := io.ReadFull(reader, head[4:8]); err != nil {
			return
		}
		if cap(payload) < size {
			payload = make([]byte, size)
		}
		payload = payload[:size]
		if _, err := io.ReadFull(reader, payload); err != nil {
			return
		}
		for i := range payload {
			payload[i] ^= head[4+i%4]
		}
		if kind == 8 {
			closes.Add(1)
			_, _ = conn.Write(append([]byte{0x88, 2}, payload[:2]...))
			return
		}
		asked.Add(1)
		out = frame(out[:0], field(payload, `"id":"`), result(field(payload, `"method":"`)))
		if _, err := conn.Write(out); err != nil {
			return
		}
		answered.Add(1)
	}
}

// The text of a string field. The benchmark's messages hold no escapes.
func field(message []byte, name string) []byte {
	_, rest, _ := bytes.Cut(message, []byte(name))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}

func result(method []byte) string {
	switch string(method) {
	case "tools/list":
		return tools
	case "tools/call":
		return `{"content":[{"type":"text","text":"here"}],"isError":false}`
	}
	return "{}"
}

func frame(out, id []byte, result string) []byte {
	size := len(`{"jsonrpc":"2.0","id":"","result":}`) + len(id) + len(result)
	out = append(out, 0x81)
	if size < 126 {
		out = append(out, byte(size))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(size))
	}
	out = append(out, `{"jsonrpc":"2.0","id":"`...)
	out = append(out, id...)
	out = append(out, `","result":`...)
	out = append(out, result...)
	return append(out, '}')
}
