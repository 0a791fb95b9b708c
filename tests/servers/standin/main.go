// Command standin stands in for MetalLB's controller and speaker where the programs themselves are not to be had.
//
//	standin                                    Ready, and nothing else: for the controller
//	standin --vips=ADDRESSES --nodes=ADDRESSES one node answers ARP for the VIPs: for a speaker
//
// Both answer the probes of MetalLB's manifests. The speakers have a rule in place of MetalLB's choice: of the nodes whose
// stand-in is there (it greets on TCP 7946), the one with the lowest address answers for all VIPs, from its own MAC address.
// Its answers carry a word behind the ARP packet, where others have the zeros that fill an Ethernet frame: that tells them
// from those of another program on the same node. On SIGTERM it falls silent before it does anything else.
//
// Not modelled: Services, pools and advertisements (the VIPs are given), an owner per VIP, IPv6, BGP, gratuitous ARP,
// metrics, the webhook, and memberlist: 7946 has neither its protocol nor its key, and UDP is not used.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The greeting of a stand-in, and the word behind its answers.
const word = "stand-in"

// How often a stand-in looks which others are there.
const period = 100 * time.Millisecond

// How long another may take to greet. One that is gone is known at once: its node's kernel refuses.
const patience = time.Second

func main() {
	health := flag.String("health", ":17472", "where /healthz and /readyz are answered")
	vips := flag.String("vips", "", "IPv4 addresses to answer for, by commas")
	nodes := flag.String("nodes", "", "IPv4 addresses of all nodes, by commas")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
		http.HandleFunc("GET /healthz", ok)
		http.HandleFunc("GET /readyz", ok)
		log.Fatal(http.ListenAndServe(*health, nil))
	}()
	if *vips == "" {
		<-ctx.Done()
		return
	}
	own := netip.MustParseAddr(os.Getenv("METALLB_HOST"))
	port, err := open(own)
	if err != nil {
		log.Fatal(err)
	}
	group, err := join(own, addresses(*nodes))
	if err != nil {
		log.Fatal(err)
	}
	answerer := &answerer{port: port, group: group, vips: addresses(*vips)}
	go func() { log.Fatal(answerer.run()) }()
	<-ctx.Done()
	answerer.silence()
}

func addresses(text string) []netip.Addr {
	var all []netip.Addr
	for _, one := range strings.Split(text, ",") {
		all = append(all, netip.MustParseAddr(one))
	}
	return all
}

// group knows which nodes before ours have a stand-in.
type group struct {
	before []*atomic.Bool
}

// join greets whoever asks, and begins to ask the nodes with lower addresses. Each counts as there until it has been asked.
func join(own netip.Addr, nodes []netip.Addr) (*group, error) {
	listener, err := net.Listen("tcp4", netip.AddrPortFrom(own, 7946).String())
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			io.WriteString(connection, word)
			connection.Close()
		}
	}()
	group := &group{}
	for _, node := range nodes {
		if !node.Less(own) {
			continue
		}
		there := &atomic.Bool{}
		there.Store(true)
		group.before = append(group.before, there)
		go func() {
			for {
				there.Store(greets(node))
				time.Sleep(period)
			}
		}()
	}
	return group, nil
}

// greets tells a stand-in from whatever else may listen there.
func greets(node netip.Addr) bool {
	connection, err := net.DialTimeout("tcp4", netip.AddrPortFrom(node, 7946).String(), patience)
	if err != nil {
		return false
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	said := make([]byte, len(word))
	_, err = io.ReadFull(connection, said)
	return err == nil && string(said) == word
}

func (g *group) isFirst() bool {
	for _, there := range g.before {
		if there.Load() {
			return false
		}
	}
	return true
}

// port is a packet socket for ARP on one interface.
type port struct {
	socket int
	mac    net.HardwareAddr
}

// open finds the interface that has the address.
func open(own netip.Addr) (*port, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, candidate := range interfaces {
		has, err := candidate.Addrs()
		if err != nil {
			return nil, err
		}
		for _, address := range has {
			prefix, err := netip.ParsePrefix(address.String())
			if err != nil || prefix.Addr() != own {
				continue
			}
			protocol := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, syscall.ETH_P_ARP))
			socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, int(protocol))
			if err != nil {
				return nil, fmt.Errorf("packet socket: %w", err)
			}
			to := &syscall.SockaddrLinklayer{Protocol: protocol, Ifindex: candidate.Index}
			if err := syscall.Bind(socket, to); err != nil {
				return nil, fmt.Errorf("bind to %s: %w", candidate.Name, err)
			}
			return &port{socket: socket, mac: candidate.HardwareAddr}, nil
		}
	}
	return nil, fmt.Errorf("no interface has %s", own)
}

// answerer answers while its node is the first.
type answerer struct {
	port  *port
	group *group
	vips  []netip.Addr

	// Held while an answer is decided on and sent, so that none comes after silence has returned.
	mutex  sync.Mutex
	silent bool
}

func (a *answerer) silence() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.silent = true
}

func (a *answerer) run() error {
	frame := make([]byte, 2048)
	for {
		length, _, err := syscall.Recvfrom(a.port.socket, frame, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if answer := a.answer(frame[:length]); answer != nil {
			a.send(answer)
		}
	}
}

// send keeps to the turn that the group gives.
func (a *answerer) send(answer []byte) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.silent || !a.group.isFirst() {
		return
	}
	if _, err := syscall.Write(a.port.socket, answer); err != nil {
		log.Print("send: ", err)
	}
}

// Where things are in an Ethernet frame with an ARP packet (RFC 826), and the least length of a frame.
const (
	arp      = 14
	sender   = arp + 8
	target   = arp + 18
	end      = arp + 28
	shortest = 60
)

// answer is the reply to a request for a VIP; none to anything else.
func (a *answerer) answer(frame []byte) []byte {
	request := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	if len(frame) < end || !bytes.Equal(frame[arp:arp+8], request) {
		return nil
	}
	wanted, asker := [4]byte(frame[target+6:end]), [4]byte(frame[sender+6:sender+10])
	for _, vip := range a.vips {
		if vip.As4() != wanted || wanted == asker {
			continue
		}
		answer := make([]byte, 0, shortest)
		answer = append(answer, frame[sender:sender+6]...)
		answer = append(answer, a.port.mac...)
		answer = append(answer, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2)
		answer = append(answer, a.port.mac...)
		answer = append(answer, wanted[:]...)
		answer = append(answer, frame[sender:sender+10]...)
		answer = append(answer, word...)
		return answer[:shortest]
	}
	return nil
}
