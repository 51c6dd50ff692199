// Go's standard reverse proxy in front of one server, with one upstream connection.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: reverse_proxy LISTEN UPSTREAM")
	}
	upstream := &url.URL{Scheme: "http", Host: os.Args[2]}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(upstream)
			request.Out.Header.Set("X-Proxied", "1")
		},
		Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1},
		ErrorLog:  log.New(os.Stderr, "", 0),
	}
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}
