// sold keeps the quantity sold of each product, with exactly-once effect, in one JSON file.
//
// It processes the next position of each partition and ignores all other records. It writes the sums
// together with the positions, by replacing the file atomically.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var started = time.Now()

type view struct {
	Positions map[int32]int64  `json:"positions"`
	Sold      map[string]int64 `json:"sold"`
}

type orderPlaced struct {
	Items []struct {
		ProductID string `json:"product_id"`
		Quantity  int64  `json:"quantity"`
	} `json:"items"`
}

func main() {
	path := os.Getenv("VIEW")
	kept, err := open(path)
	if err != nil {
		log.Fatal(err)
	}
	// No group: every start reads from the beginning, and the positions identify new records.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(context.Background())
		for _, failed := range fetches.Errors() {
			log.Printf("%s: %v", failed.Topic, failed.Err)
		}
		for _, record := range fetches.Records() {
			if err := kept.process(record); err != nil {
				log.Fatal(err) // after a restart, it reads from the beginning
			}
		}
		if err := kept.save(path); err != nil {
			log.Fatal(err)
		}
	}
}

func (v *view) process(record *kgo.Record) error {
	position, kind := int64(0), ""
	for _, header := range record.Headers {
		switch header.Key {
		case "ce_position":
			position, _ = strconv.ParseInt(string(header.Value), 10, 64)
		case "ce_type":
			kind = string(header.Value)
		}
	}
	last, known := v.Positions[record.Partition]
	if position == 0 || (known && position <= last) {
		return nil // not Tandem's, or a duplicate
	}
	if known && position > last+1 {
		return v.ahead(record.Partition, position)
	}
	v.Positions[record.Partition] = position
	if kind != "order.placed" {
		return nil // a type that is not needed, or unknown
	}
	var event orderPlaced
	if err := json.Unmarshal(record.Value, &event); err != nil {
		return err
	}
	for _, item := range event.Items {
		v.Sold[item.ProductID] += item.Quantity
	}
	return nil
}

// ahead handles a record that is ignored because earlier records are missing. A process that has just
// read from the beginning waits for them; an older one exits, so that a restart reads from there.
func (v *view) ahead(partition int32, position int64) error {
	if time.Since(started) < time.Minute {
		return nil
	}
	return fmt.Errorf("partition %d: position %d is ahead", partition, position)
}

func open(path string) (*view, error) {
	kept := &view{Positions: map[int32]int64{}, Sold: map[string]int64{}}
	stored, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	return kept, json.Unmarshal(stored, kept)
}

func (v *view) save(path string) error {
	stored, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", stored, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
