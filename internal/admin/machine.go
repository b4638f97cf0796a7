package admin

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"

	"latchkey/internal/rep"
)

// machine is how the server runs, as far as it has what Keycloak tells of its
// Java machine. Keycloak: SystemInfoRepresentation, CpuInfoRepresentation, MemoryInfoRepresentation.
func (h *Handler) machine(v *rep.ServerInfo) {
	now := h.Manager.Clock()
	v.SystemInfo.ServerTime = now.UTC().Format(time.UnixDate)
	if !h.Started.IsZero() {
		up := now.Sub(h.Started)
		v.SystemInfo.Uptime, v.SystemInfo.UptimeMillis = duration(up), new(up.Milliseconds())
	}
	v.SystemInfo.OSName = strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:]
	v.SystemInfo.OSArchitecture = runtime.GOARCH
	crypto := rep.CryptoInfo{}
	if v.CryptoInfo != nil {
		crypto = *v.CryptoInfo
	}
	crypto.CryptoProvider = "RSA by " + h.RSA
	v.CryptoInfo = &crypto
	v.CPUInfo = &rep.CpuInfo{ProcessorCount: int64(runtime.NumCPU())}
	v.MemoryInfo = memory()
}

// duration is a time in words, down to the second.
func duration(d time.Duration) string {
	parts := []string{}
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		n := d / u.of
		d -= n * u.of
		text := fmt.Sprintf("%d %s", n, u.name)
		if n != 1 {
			text += "s"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// memory is what the process has of the system, and how much of it is in use.
func memory() *rep.MemoryInfo {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(samples)
	n := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	total := n(0) - n(1)
	free := n(2) + n(3)
	return &rep.MemoryInfo{
		Total: total, TotalFormated: size(total), Used: total - free, UsedFormated: size(total - free),
		Free: free, FreePercentage: free * 100 / total, FreeFormated: size(free),
	}
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MB", bytes>>20)
	case bytes >= 1<<10:
		return fmt.Sprintf("%d kB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
